// Listeners, and what is delivered to them: records that are in memos and histories. Add to them,
// never rename.

import type { Event } from './event.ts';

/** A header's value, or the name of the secret that is it, after a prefix such as `Bearer `. */
export type HeaderValue = string | { readonly secret: string; readonly prefix?: string };

/** A key that requests are signed with, by the name that the configuration gives its secret. */
export interface SigningKey {
  readonly secret: string;
  /** When it ceases to sign, in RFC 3339: until then it signs beside the key that took its place. */
  readonly until?: string;
}

/** Where events go, and which: complete and checked. Secrets are in it by name only. */
export interface ListenerDefinition {
  /** What its id begins with, or is. */
  readonly name: string;
  /** The transport: `webhook`, `noop`, or another one that the configuration has. */
  readonly type: string;
  readonly sources: readonly string[];
  /** A CEL expression; empty wants every event. */
  readonly filter: string;
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, HeaderValue>>;
  /** What a body is made like: `cloudevents`, `json`, or another one that the configuration has. */
  readonly dialect: string;
  /** All that are not over sign, in this order; none: nothing is signed. */
  readonly signing: readonly SigningKey[];
  /** Whose it is. */
  readonly owner?: string;
  readonly description?: string;
  /** One event at a time, and none before the one before it is done with. */
  readonly ordered: boolean;
  /** How many requests are on their way at once, at most. */
  readonly concurrency: number;
  /** How many attempts begin in a second, at most. */
  readonly ratePerSecond?: number;
  /** For one attempt. */
  readonly timeoutMs: number;
  /** How long after an attempt the next one follows, in milliseconds, before jitter. */
  readonly retryMs: readonly number[];
  /** So many deliveries that failed in a row deactivate it. */
  readonly failuresMax: number;
}

/**
 * - `active`: what matches is delivered
 * - `inactive`: what matches is recorded as skipped
 * - `removed`: for good
 */
export type ListenerStatus = 'active' | 'inactive' | 'removed';

/**
 * - `pending`: more attempts may follow
 * - `successful`, `failed`: no more follow
 * - `skipped`: it came while the listener was inactive, and was never tried
 */
export type DeliveryStatus = 'pending' | 'successful' | 'failed' | 'skipped';

/** Where an attempt is on record: the activity of a run of the listener. */
export interface AttemptReference {
  readonly runId: string;
  readonly activityId: string;
}

/** An event on its way to a listener. Once it is not pending, it never changes. */
export interface Delivery {
  /** Its place among those of its listener, from 1. */
  readonly number: number;
  readonly eventId: string;
  readonly source: string;
  readonly type: string;
  readonly status: DeliveryStatus;
  /** `200 OK`, `404 Not Found`, or why there was no answer. */
  readonly message: string;
  /** In RFC 3339. */
  readonly createdAt: string;
  /** In RFC 3339; of a pending one, not yet. */
  readonly resolvedAt?: string;
  /** When a pending one is tried next, in RFC 3339. */
  readonly nextAttemptAt?: string;
  /** Oldest first. */
  readonly attempts: readonly AttemptReference[];
  /** The delivery that it repeats, because somebody asked for it. */
  readonly redeliveryOf?: number;
}

/** A request as it was sent, with `***` in place of secrets. */
export interface RecordedRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Up to `RECORDED_BODY_BYTES_MAX`. */
  readonly body: string;
  readonly isCut?: true;
}

export interface RecordedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Up to `RECORDED_BODY_BYTES_MAX`. */
  readonly body: string;
  readonly isCut?: true;
}

/** How much of a body is on record, in bytes. */
export const RECORDED_BODY_BYTES_MAX = 20 * 1024;

/** What came of one attempt. An answer that refuses is a result, too, not an exception. */
export interface AttemptRecord {
  readonly isSuccessful: boolean;
  /** `200 OK`, `404 Not Found`, or in words why there was no answer. */
  readonly message: string;
  /** In RFC 3339. */
  readonly startedAt: string;
  readonly durationMs: number;
  /** Why it was made. */
  readonly reason: 'event' | 'retry' | 'manual';
  readonly request: RecordedRequest;
  /** None if there was no answer. */
  readonly response?: RecordedResponse;
  /** The receiver wants no more, ever: it deactivates the listener. */
  readonly isGone?: true;
  /** The receiver wants no other attempt for so long, in milliseconds. */
  readonly retryAfterMs?: number;
  /** Another attempt would go no better: the transport or the definition is wrong. */
  readonly isFinal?: true;
}

/** What an attempt is made of. `event` or `storedIn` is given. */
export interface AttemptRequest {
  readonly listener: string;
  readonly definition: ListenerDefinition;
  readonly event?: Event;
  /** The number of the delivery whose workflow has the event as its input. */
  readonly storedIn?: number;
  /** The id that this event has to have. Older requests do not say. */
  readonly eventId?: string;
  readonly reason: AttemptRecord['reason'];
}

/** Delays between attempts that Standard Webhooks recommends, in milliseconds: 75 hours in all. */
export const DEFAULT_RETRY_MS: readonly number[] = [
  5_000,
  5 * 60_000,
  30 * 60_000,
  2 * 3_600_000,
  5 * 3_600_000,
  10 * 3_600_000,
  14 * 3_600_000,
  20 * 3_600_000,
  24 * 3_600_000,
];
