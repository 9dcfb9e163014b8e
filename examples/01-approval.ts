// An approval with a time limit. An order starts the workflow; a decision about that very
// order ends it, or two days without one (`decideWithinMs` in the order sets another limit).
//
//   curl -X POST http://127.0.0.1:8088/webhooks/orders \
//     -H 'content-type: application/json' -d '{"id":"A-17"}'
//   curl -X POST http://127.0.0.1:8088/webhooks/approvals \
//     -H 'content-type: application/json' -d '{"order":"A-17","approved":true}'

import { cel, nextEvent, subscribe, unsubscribe, type Event } from 'nextevent/workflow';

type Order = { body: { json: { id: string; decideWithinMs?: number } } };
type Decision = { body: { json: { approved: boolean } } };

export async function approval(placed: Event<Order>): Promise<string> {
  const { id, decideWithinMs } = placed.data.body.json;
  const decisions = await subscribe('approvals', cel`data.body.json.order == ${id}`);
  const decision = await nextEvent<Decision>(decisions, { timeout: decideWithinMs ?? '2 days' });
  await unsubscribe(decisions);

  if (decision === undefined) return `order ${id}: nobody decided in time`;
  return `order ${id}: ${decision.data.body.json.approved ? 'approved' : 'rejected'}`;
}
