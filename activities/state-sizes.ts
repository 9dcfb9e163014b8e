import type { SourceClient } from '../dispatch/source-client.ts';
import type { SubscriptionId } from '../events/subscription.ts';

/** How much a source may hold, in bytes: every ingress has all of it in memory. */
export const STATE_BYTES_MAX = 512 * 1024 * 1024;

/**
 * How much of it may wait to be moved to a segment, in bytes: the next run of the source is given
 * all of that, and the server takes up to 2 MiB.
 */
export const HOT_BYTES_MAX = 1.4 * 1024 * 1024;

/** How old a reading may be, beside what this process has added since. */
const READING_MS_MAX = 1_000;

/** ... and while too much waits: it is less soon. */
const FULL_READING_MS_MAX = 100;

/** How many registrations are remembered, for an attempt that is made again. */
const ADDED_MAX = 10_000;

/** About how large a source is. */
export interface StateSize {
  /** Of all that it holds. */
  readonly bytes: number;
  /** Of what is not in segments. */
  readonly hotBytes: number;
  /** What filters cost every event that no index serves. */
  readonly unindexed: number;
}

/** What a registration adds to it. */
type Cost = Pick<StateSize, 'bytes' | 'unindexed'>;

interface Reading {
  size: StateSize;
  readonly readAt: number;
}

/** About how large the state of each source is, read once a second at the most. */
export class StateSizes {
  readonly #client: SourceClient;
  readonly #readings = new Map<string, Promise<Reading>>();
  readonly #added = new Set<SubscriptionId>();

  constructor(client: SourceClient) {
    this.#client = client;
  }

  /** With what has been added since it was read. */
  async of(source: string): Promise<StateSize> {
    let reading = this.#readings.get(source);
    const known = await reading?.catch(() => undefined);
    if (known === undefined || isOld(known)) {
      // Whoever came first while this one waited has begun the next reading.
      if (this.#readings.get(source) === reading) this.#readings.set(source, this.#read(source));
      reading = this.#readings.get(source);
    }
    return (await reading)?.size ?? EMPTY;
  }

  /** Whether it was counted, and may be in what was read since. */
  hasAdded(id: SubscriptionId): boolean {
    return this.#added.has(id);
  }

  /** Counts what is about to be added. */
  async add(source: string, id: SubscriptionId, cost: Cost): Promise<void> {
    this.#added.add(id);
    const [oldest = id] = this.#added;
    if (this.#added.size > ADDED_MAX) this.#added.delete(oldest);
    const reading = await this.#readings.get(source);
    if (reading === undefined) return;
    const { size } = reading;
    reading.size = {
      bytes: size.bytes + cost.bytes,
      hotBytes: size.hotBytes + cost.bytes,
      unindexed: size.unindexed + cost.unindexed,
    };
  }

  async #read(source: string): Promise<Reading> {
    const readAt = performance.now();
    const description = await this.#client.describe(source);
    if (description?.isOpen && !description.hasRoom) {
      throw new Error(`source "${source}" takes no more signals until it has a worker`);
    }
    const { stateBytes: bytes = 0, hotBytes = bytes, unindexed = 0 } = description?.memo ?? {};
    // One that has ended moves nothing until a registration starts it again.
    const isEnded = description?.isOpen === false;
    return { size: { bytes, hotBytes: isEnded ? 0 : hotBytes, unindexed }, readAt };
  }
}

const EMPTY: StateSize = { bytes: 0, hotBytes: 0, unindexed: 0 };

function isOld({ size, readAt }: Reading): boolean {
  const maxMs = size.hotBytes > HOT_BYTES_MAX ? FULL_READING_MS_MAX : READING_MS_MAX;
  return performance.now() - readAt > maxMs;
}
