// One workflow for each customer, for ever. The same webhook starts it or, while it runs, feeds
// it: the trigger's `workflowId` in nextevent.config.ts is the customer, so there is never a
// second one at the same time, and deposits need no lock.
//
//   curl -X POST http://127.0.0.1:8088/webhooks/deposits \
//     -H 'content-type: application/json' -d '{"customer":"C-1","cents":500}'
//   curl -X POST http://127.0.0.1:8088/webhooks/deposits \
//     -H 'content-type: application/json' -d '{"customer":"C-1","cents":250}'

import { continueAsNew, defineQuery, setHandler } from '@temporalio/workflow';
import { nextEvent, triggerSubscription, type Event } from 'nextevent/workflow';

export type Deposit = { body: { json: { customer: string; cents: number } } };

/** What the customer has deposited so far, in cents. */
export const balanceQuery = defineQuery<number>('balance');

export async function account(
  first: Event<Deposit>,
  balanceBefore = 0,
  depositsPerRun = 500,
): Promise<never> {
  let balance = balanceBefore;
  setHandler(balanceQuery, () => balance);

  let deposit = first;
  for (let count = 0; count < depositsPerRun; count += 1) {
    balance += deposit.data.body.json.cents;
    deposit = await nextEvent<Deposit>(triggerSubscription());
  }
  // The next run begins with the deposit that this one has taken and not counted. What is
  // unread goes with it, and so does what tells a deposit that is sent twice.
  return continueAsNew<typeof account>(deposit, balance, depositsPerRun);
}
