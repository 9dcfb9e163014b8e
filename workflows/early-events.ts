// Events for subscriptions that are not made yet: a workflow task that is executed again hears
// first what came while it was executed before, and then makes the same subscriptions again.

import type { SubscriptionId } from '../events/subscription.ts';
import type { Placed } from './unread.ts';

/** How many are kept; of what comes to ids that are never made, the newest. */
const EARLY_EVENTS_MAX = 10_000;

export class EarlyEvents {
  #waiting: Placed[] = [];

  add(early: Placed): void {
    this.#waiting.push(early);
    if (this.#waiting.length > EARLY_EVENTS_MAX) this.#waiting.shift();
  }

  /** What came for this subscription, which is made now. */
  takeFor(id: SubscriptionId): readonly Placed[] {
    const taken = this.#waiting.filter((early) => early.one.id === id);
    if (taken.length > 0) this.#waiting = this.#waiting.filter((early) => early.one.id !== id);
    return taken;
  }
}
