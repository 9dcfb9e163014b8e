// A copy of the subscriptions of a source, as of a version: what was in its segments and its
// answers, applied in their order.

import { applyOperation, versionOfOperation, type Layer } from '../events/operation.ts';
import { versionOf, type Subscription, type SubscriptionId } from '../events/subscription.ts';
import type { Changes } from '../workflows/messages.ts';

/** The versions whose changes are to be applied: those before are in the copy. */
export interface Versions {
  readonly after: number;
  readonly upTo: number;
}

export class SubscriptionCopy {
  readonly #held = new Map<SubscriptionId, Subscription>();
  readonly #onChange: (id: SubscriptionId, held: Subscription | undefined) => void;

  /** Calls with each that is there from now on or was changed, and each id that is not there. */
  constructor(onChange: (id: SubscriptionId, held: Subscription | undefined) => void = () => {}) {
    this.#onChange = onChange;
  }

  get subscriptions(): Iterable<Subscription> {
    return this.#held.values();
  }

  /** What a segment has. */
  applyLayer({ subscriptions, operations }: Layer, versions: Versions): void {
    for (const subscription of subscriptions) {
      if (isAmong(versions, versionOf(subscription))) this.#set(subscription.id, subscription);
    }
    for (const [id, on] of operations) {
      for (const operation of on) {
        if (!isAmong(versions, versionOfOperation(operation))) continue;
        this.#set(id, applyOperation(this.#held.get(id), operation));
      }
    }
  }

  /** What a source answers, after the segments that it names. */
  applyChanges(
    { removed, added, operations = [] }: Pick<Changes, 'removed' | 'added' | 'operations'>,
    versions: Versions,
  ): void {
    for (const id of removed) this.#set(id, undefined);
    this.applyLayer(
      { subscriptions: added, operations: operations.map(([id, operation]) => [id, [operation]]) },
      versions,
    );
  }

  #set(id: SubscriptionId, held: Subscription | undefined): void {
    const before = this.#held.get(id);
    if (before === held) return;
    if (held === undefined) this.#held.delete(id);
    else this.#held.set(id, held);
    this.#onChange(id, held);
  }
}

function isAmong({ after, upTo }: Versions, version: number): boolean {
  return version > after && version <= upTo;
}
