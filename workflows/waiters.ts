// Who waits for an event.

import type { SubscriptionId } from '../events/subscription.ts';
import type { Event } from '../events/event.ts';

/** Why nothing will ever come: none of the ids is held any more, or the run takes no more. */
export type Because = 'unsubscribed' | 'suspended';

/** Somebody who waits for an event of any of these subscriptions. */
export interface Waiter {
  readonly ids: ReadonlySet<SubscriptionId>;
  goOn(event: Event): void;
  /** There is an event for it, with which it will go on. */
  stop(): void;
  /** Nothing will ever come. */
  abandon(because: Because): void;
}

export class Waiters {
  readonly #waiting = new Set<Waiter>();

  get size(): number {
    return this.#waiting.size;
  }

  isWaitedFor(id: SubscriptionId): boolean {
    return [...this.#waiting].some(({ ids }) => ids.has(id));
  }

  add(waiter: Waiter): void {
    this.#waiting.add(waiter);
  }

  /** Whether it was waiting. */
  delete(waiter: Waiter): boolean {
    return this.#waiting.delete(waiter);
  }

  /** They wait in vain, and nobody tells them. */
  clear(): void {
    this.#waiting.clear();
  }

  /** The one that has waited longest for it, and waits no more. */
  takeFor(id: SubscriptionId): Waiter | undefined {
    for (const waiter of this.#waiting) {
      if (!waiter.ids.has(id)) continue;
      this.#waiting.delete(waiter);
      return waiter;
    }
    return undefined;
  }

  /** Those for which nothing is to come wait no more. */
  abandon(because: Because, isInVain: (waiter: Waiter) => boolean): void {
    for (const waiter of this.#waiting) {
      if (!isInVain(waiter)) continue;
      this.#waiting.delete(waiter);
      waiter.abandon(because);
    }
  }
}
