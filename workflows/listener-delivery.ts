// A delivery before its first attempt, and each attempt of it. Pure.

import type { Event } from '../events/event.ts';
import type { AttemptRecord, Delivery } from '../events/listener.ts';
import { attemptId, toTime } from './listener-packing.ts';
import type { Pending } from './listener-pending.ts';

/** What of an event is on record. */
export type EventKey = Pick<Delivery, 'eventId' | 'source' | 'type'>;

/** An attempt that begins. */
export interface Beginning {
  readonly delivery: Delivery;
  /** Tells it from all others of the listener. */
  readonly activityId: string;
  /** None if it is stored. */
  readonly event: Event | undefined;
  readonly reason: AttemptRecord['reason'];
}

/** What came of an attempt. */
export interface Attempted extends Pick<
  AttemptRecord,
  'isSuccessful' | 'message' | 'isGone' | 'isFinal' | 'retryAfterMs'
> {
  readonly number: number;
  readonly runId: string;
}

/** When it is, in milliseconds since 1970, and a number from 0 to 1. */
export interface Moment {
  readonly now: number;
  readonly chance: number;
}

/** As it is before its first attempt. */
export function newDelivery(number: number, key: EventKey, now: number): Delivery {
  const at = toTime(now);
  return {
    number,
    ...key,
    status: 'pending',
    message: '',
    createdAt: at,
    nextAttemptAt: at,
    attempts: [],
  };
}

/** The next attempt of a delivery that is due. */
export function toBeginning({ delivery, event }: Pick<Pending, 'delivery' | 'event'>): Beginning {
  const { number, attempts, redeliveryOf } = delivery;
  const first = redeliveryOf === undefined ? 'event' : 'manual';
  return {
    delivery,
    activityId: attemptId(number, attempts.length + 1),
    event,
    reason: attempts.length === 0 ? first : 'retry',
  };
}
