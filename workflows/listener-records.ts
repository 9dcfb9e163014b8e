// What a run of a listener leaves to the next: it is in histories. Add to it, never change it.

import type { Event } from '../events/event.ts';
import type { DeliveryStatus, ListenerDefinition, ListenerStatus } from '../events/listener.ts';
import type { SubscriptionId } from '../events/subscription.ts';

/** Everything that crosses continue-as-new, but for the unread events, which the library carries. */
export interface ListenerState {
  readonly definition: ListenerDefinition;
  readonly status: ListenerStatus;
  readonly statusMessage: string;
  /** In RFC 3339. */
  readonly createdAt: string;
  /** The number of the newest delivery. */
  readonly lastNumber: number;
  readonly failuresInRow: number;
  /** How many attempts have failed since one succeeded. */
  readonly troubles: number;
  /** Source and subscription. */
  readonly subscriptions: ReadonlyArray<readonly [source: string, id: SubscriptionId]>;
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
