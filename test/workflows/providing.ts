// What becomes of the events of verified sources.

import { setHandler } from '@temporalio/workflow';
import { nextEvent, subscribe, type Event } from 'nextevent/workflow';

import { progressQuery } from './listening.ts';

/** What an event was. */
export interface Provided {
  readonly source: string;
  readonly type: string;
  readonly data: unknown;
}

/** Subscribes to each source with its filter, and returns the first event of each. */
export async function receiveFromEach(
  wanted: ReadonlyArray<readonly [source: string, filter: string]>,
): Promise<Provided[]> {
  const subscribed: string[] = [];
  setHandler(progressQuery, () => ({ subscribed, received: [] }));
  for (const [source, filter] of wanted) subscribed.push(await subscribe(source, filter));
  const provided: Provided[] = [];
  for (const id of subscribed) provided.push(toProvided(await nextEvent(id)));
  return provided;
}

/** Returns what started it. */
export async function returnProvided(event: Event): Promise<Provided> {
  return toProvided(event);
}

function toProvided({ source, type, data }: Event): Provided {
  return { source, type, data };
}
