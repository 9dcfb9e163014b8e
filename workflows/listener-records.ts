// What a run of a listener leaves to the next: it is in histories. Add to it, never change it.

import type { Event } from '../events/event.ts';
import type { DeliveryStatus } from '../events/listener.ts';
import type { SubscriptionId } from '../events/subscription.ts';

/** What crosses continue-as-new besides the memo, and unread events, which the library carries. */
export interface ListenerState {
  /** The number of the newest delivery. */
  readonly lastNumber: number;
  readonly failuresInRow: number;
  /** How many attempts have failed since one succeeded. */
  readonly troubles: number;
  readonly subscriptions: readonly HeldSubscription[];
  /** Those that others have taken the place of, and that may still get what came before. */
  readonly draining?: readonly Draining[];
  /** Keys of the newest events that were taken since, which both may get. */
  readonly taken?: readonly string[];
  /** When the next attempts may begin, in milliseconds since 1970. */
  readonly nextStartAt: number;
  /** Texts that deliveries have in common: sources, types, messages, run ids. */
  readonly texts: readonly string[];
  readonly pending: readonly PackedDelivery[];
  /** Oldest first. */
  readonly resolved: readonly PackedDelivery[];
  /** Of those among `pending` that are not stored, by number. */
  readonly events: ReadonlyArray<readonly [number: number, event: Event]>;
}

/** What a run leaves to the next of its subscriptions. */
export type CarriedSubscriptions = Pick<ListenerState, 'subscriptions' | 'draining' | 'taken'>;

/** What it leaves besides. */
export type CarriedListener = Omit<ListenerState, keyof CarriedSubscriptions>;

/** What a listener has that was not there before. */
export const NOTHING: CarriedListener = {
  lastNumber: 0,
  failuresInRow: 0,
  troubles: 0,
  nextStartAt: 0,
  texts: [],
  pending: [],
  resolved: [],
  events: [],
};

/** A subscription of a listener. */
export interface HeldSubscription {
  readonly id: SubscriptionId;
  readonly source: string;
  readonly filter: string;
}

/** A subscription that is to get what came before a time, and nothing else. */
export interface Draining extends HeldSubscription {
  /** That time, in milliseconds since 1970. */
  readonly since: number;
  /** By then nothing is on its way to it. None before its source knows. */
  readonly until?: number;
}

/** A delivery in little space: there may be thousands. Numbers of texts stand for them. */
export interface PackedDelivery {
  /** Its number, its event's id, source and type, its message, and when it was created. */
  readonly d: readonly [
    number: number,
    eventId: string,
    source: number,
    type: number,
    message: number,
    createdAtMs: number,
  ];
  /** When it is tried next, or when it was resolved, in milliseconds since 1970. */
  readonly t: number;
  /** `pending` if there is none. */
  readonly s?: Exclude<DeliveryStatus, 'pending'>;
  /** The run of each attempt. */
  readonly a?: readonly number[];
  /** What it repeats. */
  readonly r?: number;
}
