// Items that wait while others are on their way, and go together after them.

import { sleep } from './failures.ts';

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

export interface BatchOptions<Item, Result> {
  /** How many of those that wait go together, oldest first: at least one. */
  readonly count: (waiting: readonly Item[]) => number;
  readonly send: (items: readonly Item[]) => Promise<Result>;
  /**
   * How long after one batch the next follows at the soonest, in milliseconds.
   *
   * @default as soon as the one before is there
   */
  readonly everyMs?: number;
}

/** Sends one batch at a time, in the order of the calls. */
export class Batches<Item, Result> {
  readonly #options: BatchOptions<Item, Result>;
  #waiting: Array<Waiting<Item, Result>> = [];
  #sending = false;

  constructor(options: BatchOptions<Item, Result>) {
    this.#options = options;
  }

  /** What became of the batch that the item went with. */
  push(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (!this.#sending) void this.#sendAll();
    });
  }

  async #sendAll(): Promise<void> {
    const { everyMs = 0 } = this.#options;
    this.#sending = true;
    while (this.#waiting.length > 0) {
      const sentAt = performance.now();
      const count = this.#options.count(this.#waiting.map(({ item }) => item));
      const batch = this.#waiting.splice(0, count);
      try {
        const result = await this.#options.send(batch.map(({ item }) => item));
        for (const { resolve } of batch) resolve(result);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
      const restMs = sentAt + everyMs - performance.now();
      if (restMs > 0) await sleep(restMs);
    }
    this.#sending = false;
  }
}
