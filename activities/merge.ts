// Merges layers of a source that are next to each other into one. What is in them of one
// subscription is at most a subscription, in the oldest of those that have something of it, and
// operations after that. So it takes two passes: the first collects all operations, the second
// applies them to the subscriptions, one layer at a time.

import {
  addOperation,
  applyOperation,
  versionOfOperation,
  type Layer,
  type Operation,
} from '../events/operation.ts';
import type { Subscription, SubscriptionId } from '../events/subscription.ts';

export class Merge {
  readonly #operations = new Map<SubscriptionId, readonly Operation[]>();
  #removedUpTo = 0;

  /** The last version of a removal that is in none of the merged layers any more. */
  get removedUpTo(): number {
    return this.#removedUpTo;
  }

  /** The first pass, oldest layer first. */
  collect({ operations }: Layer): void {
    for (const [id, later] of operations) {
      this.#operations.set(id, later.reduce(addOperation, this.#operations.get(id) ?? []));
    }
  }

  /** The second pass: what is left of the subscriptions of a layer. */
  apply({ subscriptions }: Layer): Layer {
    return {
      subscriptions: subscriptions.flatMap((held) => {
        const operations = this.#operations.get(held.id);
        this.#operations.delete(held.id);
        return operations === undefined ? held : this.#applied(held, operations);
      }),
      operations: [],
    };
  }

  /** What is left after the second pass: with no older layer, there are no such subscriptions. */
  *rest(isOldest: boolean): Iterable<Layer> {
    for (const [id, operations] of this.#operations) {
      yield isOldest
        ? { subscriptions: this.#applied(undefined, operations), operations: [] }
        : { subscriptions: [], operations: [[id, operations]] };
    }
  }

  #applied(held: Subscription | undefined, operations: readonly Operation[]): Subscription[] {
    const applied = operations.reduce(applyOperation, held);
    for (const operation of operations) {
      if (operation.kind !== 'unregister') continue;
      this.#removedUpTo = Math.max(this.#removedUpTo, versionOfOperation(operation));
    }
    return applied === undefined ? [] : [applied];
  }
}
