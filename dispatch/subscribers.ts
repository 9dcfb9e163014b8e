// The subscriptions of one source in memory, as of a version, and how they are kept so.
//
// A reading tells whether the copy is current. `describe` does, with no worker and no
// write, unless something has changed; then one query brings the change. A reading is
// good for an event only if it began after the event came, so an event that comes while
// one is on its way shares the next. Never two are in flight: the server answers only
// one strongly consistent query at a time.

import { FilterIndex } from '../events/filter-index.ts';
import type { Subscription } from '../events/subscription.ts';
import type { Changes } from '../workflows/messages.ts';
import { toFailureKind } from './failures.ts';
import type { SourceClient } from './source-client.ts';

/** What a reading found. Times are of `performance.now()`. */
export interface Reading {
  readonly startedAt: number;
  /**
   * - `current`: the copy has every subscription that was durable when the reading began
   * - `unknown`: nobody could tell in time
   * - `overloaded`: the server has more to do than it can
   */
  readonly kind: 'current' | 'unknown' | 'overloaded';
  /** How many events the source has in its backlog. */
  readonly backlog: number;
}

/** A query is tried again until this many milliseconds after the reading began. */
const READING_MS_MAX = 400;

export class Subscribers {
  readonly source: string;
  readonly #client: SourceClient;
  readonly #onReading: (reading: Reading) => void;
  #index = new FilterIndex<Subscription>();
  #firstRunId = '';
  #runId = '';
  #version = 0;
  /** The workflow task that nobody completed in time: while it is pending, nobody will. */
  #idleTask: string | undefined;
  #reading: Promise<Reading> | undefined;
  #next: Promise<Reading> | undefined;

  /** `onReading` is called with each reading, before anybody who waits for it goes on. */
  constructor(source: string, client: SourceClient, onReading: (reading: Reading) => void) {
    this.source = source;
    this.#client = client;
    this.#onReading = onReading;
  }

  get index(): FilterIndex<Subscription> {
    return this.#index;
  }

  /** Every subscription up to this one is in the index. */
  get version(): number {
    return this.#version;
  }

  /** A new chain of runs counts its versions anew. */
  get chain(): string {
    return this.#firstRunId;
  }

  /** A reading that begins after this call. */
  read(): Promise<Reading> {
    if (this.#reading === undefined) return this.#start();
    this.#next ??= this.#reading.then(() => {
      this.#next = undefined;
      return this.#start();
    });
    return this.#next;
  }

  /** A reading, which may have begun already. */
  refresh(): Promise<Reading> {
    return this.#reading ?? this.#start();
  }

  #start(): Promise<Reading> {
    const startedAt = performance.now();
    this.#reading = this.#read(startedAt)
      .catch((error: unknown): Omit<Reading, 'startedAt'> => {
        const kind = toFailureKind(error) === 'overloaded' ? 'overloaded' : 'unknown';
        return { kind, backlog: 0 };
      })
      .then((found) => {
        this.#reading = undefined;
        const reading = { ...found, startedAt };
        this.#onReading(reading);
        return reading;
      });
    return this.#reading;
  }

  async #read(startedAt: number): Promise<Omit<Reading, 'startedAt'>> {
    const found = await this.#client.describe(this.source);
    if (found === undefined) {
      this.#reset('');
      return { kind: 'current', backlog: 0 };
    }
    // One that was ended holds nothing any more; the next signal to it starts another.
    if (!found.isRunning) return { kind: 'unknown', backlog: 0 };
    const { pendingTask, memo } = found;
    const isKnown = found.runId === this.#runId && memo && memo.version <= this.#version;
    if (pendingTask === undefined && isKnown) return { kind: 'current', backlog: memo.backlog };
    if (pendingTask !== undefined && pendingTask === this.#idleTask) {
      return { kind: 'unknown', backlog: 0 };
    }
    try {
      const backlog = await this.#catchUp(startedAt + READING_MS_MAX);
      this.#idleTask = undefined;
      return { kind: 'current', backlog };
    } catch (error) {
      this.#idleTask = pendingTask;
      throw error;
    }
  }

  /** Asks for what changed, until nothing has. Returns the depth of the backlog. */
  async #catchUp(deadline: number): Promise<number> {
    for (;;) {
      const asked = { firstRunId: this.#firstRunId, since: this.#version };
      const first = await this.#client.changes(this.source, asked);
      if (first.snapshot) this.#reset(first.firstRunId);
      this.#apply(first);
      let page = first;
      while (page.next !== undefined) {
        page = await this.#client.changes(this.source, { ...asked, after: page.next });
        this.#apply(page);
      }
      this.#runId = first.runId;
      this.#version = first.version;
      // Several pages are of several moments: what changed between them is one more question.
      if (page === first) return first.backlog;
      if (performance.now() > deadline && !first.snapshot) throw new Error('changes too fast');
    }
  }

  #reset(firstRunId: string): void {
    this.#index = new FilterIndex();
    this.#firstRunId = firstRunId;
    this.#runId = '';
    this.#version = 0;
  }

  #apply({ added, removed }: Changes): void {
    for (const id of removed) this.#index.remove(id);
    for (const subscription of added) {
      try {
        this.#index.add(subscription.id, subscription.filter, subscription);
      } catch (error) {
        // It was checked when it was registered, by another version of this program.
        console.error(`subscription ${subscription.id} of ${this.source} is ignored:`, error);
      }
    }
  }
}
