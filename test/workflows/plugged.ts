// Workflows of a user who has a worker already.

import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import { cel, nextEvent, subscribe } from 'nextevent/workflow';

import type { Event, SubscriptionId } from 'nextevent/workflow';

type Order = { body: { json: { order: string } } };

export interface PluggedActivities {
  /** Reads the body of a decision. */
  decide(decision: Event): Promise<string>;
}

const { decide } = proxyActivities<PluggedActivities>({ startToCloseTimeout: '1 minute' });

/** Waits for a decision about the order that started it, and has an activity read it. */
export async function plugged({ data }: Event<Order>): Promise<string> {
  const decisions = await subscribe(
    'decisions',
    cel`data.body.json.order == ${data.body.json.order}`,
  );
  return decide(await nextEvent(decisions));
}

/** Subscribes to a source, and gives the id of the subscription. */
export async function subscribeOnly(source: string): Promise<SubscriptionId> {
  return subscribe(source);
}

/** Holds its worker up for so long, by the clock, where most workflow code runs: after an `await`. */
export async function holdUp(ms: number): Promise<string> {
  await Promise.resolve();
  const { now } = workflowInfo().unsafe;
  const until = now() + ms;
  while (now() < until);
  return 'done';
}
