import type { Event } from '../events/event.ts';
import type { SubscriptionId } from '../events/subscription.ts';

/** Of so many subscriptions the last failure is remembered. */
const REMEMBERED_MAX = 10_000;

/** A filter that could not be evaluated on an event, which therefore did not match. */
export interface MatchFailure {
  readonly error: string;
  readonly eventId: string;
  /** When, in the format of RFC 3339. */
  readonly at: string;
  /** How often that has happened, in this process. */
  readonly count: number;
}

/** The last failure of each subscription's filter, so that an operator sees why nothing matches. */
export class MatchFailures {
  readonly #last = new Map<SubscriptionId, MatchFailure>();

  add({ id: eventId, time: at }: Event, failed: ReadonlyMap<SubscriptionId, string>): void {
    for (const [id, error] of failed) {
      const count = (this.#last.get(id)?.count ?? 0) + 1;
      this.#last.delete(id);
      this.#last.set(id, { error, eventId, at, count });
    }
    for (const oldest of this.#last.keys()) {
      if (this.#last.size <= REMEMBERED_MAX) break;
      this.#last.delete(oldest);
    }
  }

  of(id: SubscriptionId): MatchFailure | undefined {
    return this.#last.get(id);
  }
}
