// The slow path into a source: an event goes to the backlog of the source workflow,
// which orders it against the subscriptions. It needs no worker.

import type { Event } from '../events/event.ts';
import type { BacklogEntry } from '../workflows/messages.ts';
import { Batches } from './batches.ts';
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

/**
 * How soon such a signal follows another: each keeps the source from what it has to do, and those that
 * come while it does something are kept, up to a hundred.
 */
const ENTRIES_EVERY_MS = 100;

/** How many events, and how many bytes of JSON, one workflow stores; or one event. */
const STORED_MAX = 64;
const STORED_BYTES_MAX = 512 * 1024;

/** Where the body of an event is. */
export type Stored = Pick<BacklogEntry, 'storedAmong'>;

/** Puts events of one source into its backlog, in the order of the calls. */
export class BacklogWriter {
  readonly #bodies: Batches<SizedEvent, Stored>;
  readonly #entries: Batches<BacklogEntry, number>;

  constructor(source: string, client: SourceClient) {
    this.#bodies = new Batches({
      count: countStored,
      send: (batch) => client.storeEvents(batch.map(({ event }) => event)),
    });
    this.#entries = new Batches({
      count: () => ENTRIES_MAX,
      everyMs: ENTRIES_EVERY_MS,
      send: async (entries) => {
        await client.accept(source, entries);
        return performance.now();
      },
    });
  }

  /** Stores the body. What comes while another one is on its way shares a workflow with others. */
  store(event: Event): Promise<Stored> {
    return this.#bodies.push({ event, bytes: JSON.stringify(event).length });
  }

  /** Durable once it returns; then gives the time. */
  accept(entry: BacklogEntry): Promise<number> {
    return this.#entries.push(entry);
  }
}

interface SizedEvent {
  readonly event: Event;
  readonly bytes: number;
}

function countStored(waiting: readonly SizedEvent[]): number {
  let count = 0;
  let sum = 0;
  for (const { bytes } of waiting.slice(0, STORED_MAX)) {
    sum += bytes;
    if (count > 0 && sum > STORED_BYTES_MAX) break;
    count += 1;
  }
  return count;
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
