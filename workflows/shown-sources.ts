// The sources that the search attribute of a workflow names.

import type { HeldSubscription } from './inbox-state.ts';

export class ShownSources {
  #shown: readonly string[] = [];

  /** Search attributes cross continue-as-new by themselves. */
  restore(held: readonly HeldSubscription[]): void {
    this.#shown = searchable(held);
  }

  /** The sources that it is to name from now on; undefined if it does. */
  newlyShown(held: readonly HeldSubscription[]): readonly string[] | undefined {
    const sources = searchable(held);
    if (sources.join() === this.#shown.join()) return undefined;
    this.#shown = sources;
    return sources;
  }
}

function searchable(held: readonly HeldSubscription[]): readonly string[] {
  const shown = held.filter(({ isSearchable }) => isSearchable);
  return [...new Set(shown.flatMap(({ resolved }) => resolved ?? []))].toSorted();
}
