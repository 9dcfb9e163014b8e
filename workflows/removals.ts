// The last removals of a source, to answer an asker with a version that old, and so that no
// registration comes after the end that has overtaken it.

import type { SubscriptionId } from '../events/subscription.ts';
import type { Removal, SourceState } from './source-records.ts';

/** How many removals are remembered. */
export const REMOVALS_MAX = 4_000;

/** What a remembered removal takes, in bytes of JSON. */
const REMOVAL_BYTES = 60;

export class Removals {
  readonly #versions = new Map<SubscriptionId, number>();
  #forgotten = 0;

  /** Removals up to this version may be missing. */
  get forgotten(): number {
    return this.#forgotten;
  }

  get bytes(): number {
    return this.#versions.size * REMOVAL_BYTES;
  }

  load({ removals, forgotten }: Pick<SourceState, 'removals' | 'forgotten'>): void {
    for (const [version, id] of removals) this.#versions.set(id, version);
    this.#forgotten = forgotten;
  }

  toState(): Pick<SourceState, 'removals' | 'forgotten'> {
    const removals = [...this.#versions].map(([id, version]): Removal => [version, id]);
    return { removals, forgotten: this.#forgotten };
  }

  has(id: SubscriptionId): boolean {
    return this.#versions.has(id);
  }

  /** When it was removed. */
  get(id: SubscriptionId): number | undefined {
    return this.#versions.get(id);
  }

  add(id: SubscriptionId, version: number): void {
    this.#versions.set(id, version);
    for (const [oldest, at] of this.#versions) {
      if (this.#versions.size <= REMOVALS_MAX) break;
      this.#versions.delete(oldest);
      this.#forgotten = Math.max(this.#forgotten, at);
    }
  }

  /** It is there again. */
  delete(id: SubscriptionId): void {
    this.#versions.delete(id);
  }

  forget(upTo: number): void {
    this.#forgotten = Math.max(this.#forgotten, upTo);
  }

  after(version: number): SubscriptionId[] {
    return [...this.#versions].filter(([, at]) => at > version).map(([id]) => id);
  }
}
