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
  let latest = 0;
  return unread.map((one) => {
    latest = Math.max(latest, positionOf(one.event));
    return { one, position: latest };
  });
}

/**
 * What is unread, and these, each before the first that has a later position. What came so long ago that
 * its position, 0, is not known was the oldest when it was taken.
 */
export function merge(unread: readonly Placed[], added: readonly Placed[]): Unread[] {
  const oldest = added.filter(({ position }) => position === 0);
  const others = added.filter(({ position }) => position > 0);
  return [...oldest, ...[...unread, ...others].toSorted(byPosition)].map(({ one }) => one);
}

function byPosition(one: Placed, other: Placed): number {
  return one.position - other.position;
}
