// A copy of the subscriptions of a source, with indexes of their filters.

import { FilterIndex } from '../events/filter-index.ts';
import type { Subscription } from '../events/subscription.ts';
import { SubscriptionCopy } from './subscription-copy.ts';

export class IndexedCopy extends SubscriptionCopy {
  readonly index: FilterIndex<Subscription>;
  /** Those that get nothing. */
  readonly suspended: FilterIndex<Subscription>;

  constructor(source: string) {
    const index = new FilterIndex<Subscription>();
    const suspended = new FilterIndex<Subscription>();
    super((id, held) => {
      index.remove(id);
      suspended.remove(id);
      if (held === undefined) return;
      try {
        (held.suspended ? suspended : index).add(id, held.filter, held);
      } catch (error) {
        // It was checked when it was registered, by another version of this program.
        console.error(`subscription ${id} of ${source} is ignored:`, error);
      }
    });
    this.index = index;
    this.suspended = suspended;
  }
}
