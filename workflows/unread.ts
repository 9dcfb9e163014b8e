// What has come for a subscription and was not read.

import type { Event } from '../events/event.ts';
import type { SubscriptionId } from '../events/subscription.ts';

export interface Unread {
  readonly event: Event;
  readonly id: SubscriptionId;
}

/** As its reader gets it. */
export function toTaken({ event, id }: Unread): Event {
  return { ...event, subscription: id };
}

export interface Placed {
  readonly one: Unread;
  /** Its place among all that has arrived. */
  readonly position: number;
}

/** Each with its position; a repetition, which stands behind what is later, with that of the latest. */
export function placeAll(
  unread: readonly Unread[],
  positionOf: (event: Event) => number,
): readonly Placed[] {
  let latest = Number.NEGATIVE_INFINITY;
  return unread.map((one) => {
    latest = Math.max(latest, positionOf(one.event));
    return { one, position: latest };
  });
}

/** Puts one among what is unread, before the first that has a later position: mostly near the front. */
export function insert(
  unread: Unread[],
  { one, position }: Placed,
  positionOf: (event: Event) => number,
): void {
  let at = 0;
  while (at < unread.length && positionOf((unread[at] as Unread).event) <= position) at += 1;
  unread.splice(at, 0, one);
}

/** What is unread, and these, each before the first that has a later position. */
export function merge(unread: readonly Placed[], added: readonly Placed[]): Unread[] {
  return [...unread, ...added]
    .toSorted((one, other) => one.position - other.position)
    .map(({ one }) => one);
}
