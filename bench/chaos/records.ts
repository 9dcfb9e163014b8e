// What is known of a run when it is over: what the bench did, and what Temporal has. Times are of
// the bench's process alone, in milliseconds; no two are the same, so they are an order too.

import type { SubscriptionId } from '../../events/subscription.ts';
import type { Body, Filter, SourceName } from './filters.ts';

export interface PostedEvent {
  readonly id: string;
  readonly source: SourceName;
  readonly body: Body;
  /** Before the first request. */
  readonly postedAt: number;
  /** When an answer 202 had come; absent if none has. */
  readonly acknowledgedAt?: number;
  /** How many requests were made. One that was not answered may still be on its way. */
  readonly attempts: number;
  /** By its answer, it may be in a backlog. If not, its signals were durable before the answer. */
  readonly queued: boolean;
}

/**
 * Until when a subscription was held, as far as the bench can prove.
 *
 * - `fence`: an event for it that said that it ends, or may end, was first posted at this time, and
 *   came out of `nextEvent`: what was acknowledged before came out before it
 * - `cut`: the bench began at this time to end the workflow from outside. What was signalled before
 *   is before that in its history; of what was in a backlog nothing is known
 * - `open`: to the end of the run, when every backlog was empty
 */
export type Ending =
  | { readonly kind: 'fence'; readonly at: number }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'open' };

/** A subscription whose `subscribe` is known to have returned. */
export interface HeldSubscription {
  readonly id: SubscriptionId;
  readonly workflowId: string;
  readonly firstRunId: string;
  readonly source: SourceName;
  readonly filter: Filter;
  /** When the bench began to tell the workflow to subscribe: before it, it can not have. */
  readonly toldAt: number;
  /** When the bench heard that `subscribe` had returned. */
  readonly heldAt: number;
  readonly ending: Ending;
}

/** What a workflow has received, by its own account in Temporal. */
export interface SubscriberRecord {
  readonly workflowId: string;
  readonly firstRunId: string;
  /** In the order in which `nextEvent` gave them. */
  readonly received: readonly Receipt[];
}

export interface Receipt {
  readonly subscription: SubscriptionId;
  readonly event: string;
}

/** A workflow id that a trigger makes, with every workflow that Temporal has under it. */
export interface TriggerStart {
  readonly workflowId: string;
  readonly runIds: readonly string[];
}

/** A subscription in the snapshot of a source. */
export interface RegisteredSubscription {
  readonly id: SubscriptionId;
  readonly source: string;
  /** As CEL. */
  readonly filter: string;
  readonly workflowId: string;
  readonly firstRunId: string;
  /** Whether that very workflow still runs. */
  readonly isRunning: boolean;
}

export interface Records {
  readonly events: readonly PostedEvent[];
  readonly subscriptions: readonly HeldSubscription[];
  readonly subscribers: readonly SubscriberRecord[];
  readonly starts: readonly TriggerStart[];
  readonly registered: readonly RegisteredSubscription[];
}
