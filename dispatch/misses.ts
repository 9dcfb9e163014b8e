// Tells a source how many events its subscriptions did not get, which suspends them.

import type { SubscriptionId } from '../events/subscription.ts';
import type { Missed } from './shares.ts';
import type { SourceClient } from './source-client.ts';

export interface MissesDeps {
  readonly client: SourceClient;
  /** Only what has not changed after this version. */
  readonly upTo: number;
}

/** What is reported while the source is being told goes along with the next call. */
export class Misses {
  readonly #source: string;
  readonly #deps: MissesDeps;
  #waiting = new Map<SubscriptionId, number>();
  #last: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(source: string, deps: MissesDeps) {
    this.#source = source;
    this.#deps = deps;
  }

  /** Durable once it returns. */
  report(missed: Missed): Promise<void> {
    for (const [id, events] of missed) {
      this.#waiting.set(id, (this.#waiting.get(id) ?? 0) + events);
    }
    if (this.#next === undefined) {
      this.#next = this.#last.then(() => this.#tell());
      this.#last = this.#next;
    }
    return this.#next;
  }

  async #tell(): Promise<void> {
    const missed = this.#waiting;
    this.#waiting = new Map();
    this.#next = undefined;
    for (const [undeliverable, ids] of byCount(missed)) {
      const { client, upTo } = this.#deps;
      await client.suspend(this.#source, { ids, undeliverable, upTo });
    }
  }
}

/** Those that missed as many events each, by how many. */
function byCount(missed: Missed): Map<number, SubscriptionId[]> {
  const counts = new Map<number, SubscriptionId[]>();
  for (const [id, count] of missed) counts.set(count, [...(counts.get(count) ?? []), id]);
  return counts;
}
