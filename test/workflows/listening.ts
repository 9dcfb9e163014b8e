import { defineQuery, setHandler } from '@temporalio/workflow';
import { nextEvent, subscribe } from 'nextevent/workflow';

import type { Event, SubscriptionId } from 'nextevent/workflow';

/** What a listening workflow has done so far. */
export interface Progress {
  readonly subscribed: readonly SubscriptionId[];
  readonly received: readonly Received[];
}

export interface Received {
  readonly id: string;
  readonly subscription: SubscriptionId | undefined;
}

export const progressQuery = defineQuery<Progress>('progress');

export interface ListenInput {
  /** Source and filter of each subscription. */
  readonly subscriptions: ReadonlyArray<readonly [source: string, filter: string]>;
  /** How many events to wait for. */
  readonly count: number;
}

/** Subscribes, waits for so many events, and returns which. */
export async function listen(input: ListenInput): Promise<Received[]> {
  const subscribed: SubscriptionId[] = [];
  const received: Received[] = [];
  setHandler(progressQuery, () => ({ subscribed, received }));
  for (const [source, filter] of input.subscriptions) {
    subscribed.push(await subscribe(source, filter));
  }
  while (received.length < input.count) received.push(toReceived(await nextEvent(...subscribed)));
  return received;
}

function toReceived({ id, subscription }: Event): Received {
  return { id, subscription };
}
