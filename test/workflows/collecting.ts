import { setHandler } from '@temporalio/workflow';
import { events, subscribe } from 'nextevent/workflow';

import type { Event } from 'nextevent/workflow';

import { progressQuery, type ListenInput, type Received } from './listening.ts';

/** Subscribes, and returns everything that came before an event whose id begins with `end`. */
export async function collect(input: Omit<ListenInput, 'count'>): Promise<Received[]> {
  const subscribed: string[] = [];
  const received: Received[] = [];
  setHandler(progressQuery, () => ({ subscribed, received }));
  for (const [source, filter] of input.subscriptions) {
    subscribed.push(await subscribe(source, filter));
  }
  // The other way round: the order of the arguments plays no part.
  for await (const { id, subscription } of events(...[...subscribed].reverse())) {
    if (id.startsWith('end')) break;
    received.push({ id, subscription });
  }
  return received;
}

/** Returns the id of the event that started it. */
export async function returnEvent(event: Event): Promise<string> {
  return event.id;
}

/** Returns the event that started it. */
export async function returnWhole(event: Event): Promise<Event> {
  return event;
}
