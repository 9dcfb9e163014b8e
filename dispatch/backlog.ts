// The slow path into a source: an event goes to the backlog of the source workflow,
// which orders it against the subscriptions. It needs no worker.

import type { Event } from '../events/event.ts';
import type { BacklogEntry } from '../workflows/messages.ts';
import { sleep } from './failures.ts';
import type { SourceClient } from './source-client.ts';

/**
 * How long a reading of a source gives leave to signal at once, and how long an event that
 * went to the backlog waits, once durable, before it is acknowledged. That these are one
 * number is what keeps the order: whoever knows that the event was acknowledged posts later
 * than every reading that does not show it is good for.
 */
export const LEAVE_MS = 300;

/** How many events one signal puts into the backlog. */
const ENTRIES_MAX = 500;

interface Waiting {
  readonly entry: BacklogEntry;
  readonly resolve: (durableAt: number) => void;
  readonly reject: (error: unknown) => void;
}

/** Puts events of one source into its backlog, in the order of the calls. */
export class BacklogWriter {
  readonly #source: string;
  readonly #client: SourceClient;
  #waiting: Waiting[] = [];
  #writing = false;

  constructor(source: string, client: SourceClient) {
    this.#source = source;
    this.#client = client;
  }

  store(event: Event): Promise<void> {
    return this.#client.storeEvent(event);
  }

  /** Durable once it returns; then gives the time. */
  accept(entry: BacklogEntry): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject });
      if (!this.#writing) void this.#write();
    });
  }

  async #write(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, ENTRIES_MAX);
      try {
        await this.#client.accept(
          this.#source,
          batch.map(({ entry }) => entry),
        );
        const durableAt = performance.now();
        for (const { resolve } of batch) resolve(durableAt);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#writing = false;
  }
}

/** Waits until an event that was durable in the backlog at this time may be acknowledged. */
export async function untilAcknowledgeable(durableAt: number): Promise<void> {
  for (;;) {
    const restMs = durableAt + LEAVE_MS - performance.now();
    if (restMs <= 0) return;
    // A timer may end early by a fraction of a millisecond, and the order rests on the whole.
    await sleep(Math.ceil(restMs));
  }
}
