// The slow path into a source: an event goes to the backlog of the source workflow,
// which orders it against the subscriptions. It needs no worker.

import type { Event } from '../events/event.ts';
import { countTogether } from '../events/together.ts';
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

/**
 * How many events, and how many characters of JSON, one signal puts into the backlog; or one event. An
 * entry may name hundreds of workflows, and the server takes 2 MiB; a character has three bytes at the most.
 */
const ENTRIES_MAX = 500;
const ENTRIES_LENGTH_MAX = 512 * 1024;

/**
 * How soon such a signal follows another: each keeps the source from what it has to do, and those that
 * come while it does something are kept, up to a hundred.
 */
const ENTRIES_EVERY_MS = 100;

/** The same of a workflow that stores events. */
const STORED_MAX = 64;
const STORED_LENGTH_MAX = 512 * 1024;

/** Where the body of an event is. */
export type Stored = Pick<BacklogEntry, 'storedAmong'>;

/** Puts events of one source into its backlog, in the order of the calls. */
export class BacklogWriter {
  readonly #bodies: Batches<Sized<Event>, Stored>;
  readonly #entries: Batches<Sized<BacklogEntry>, number>;

  constructor(source: string, client: SourceClient) {
    this.#bodies = new Batches({
      count: (waiting) => countTogether(waiting.slice(0, STORED_MAX), lengthOf, STORED_LENGTH_MAX),
      send: (batch) => client.storeEvents(batch.map(({ item }) => item)),
    });
    this.#entries = new Batches({
      count: (waiting) =>
        countTogether(waiting.slice(0, ENTRIES_MAX), lengthOf, ENTRIES_LENGTH_MAX),
      everyMs: ENTRIES_EVERY_MS,
      send: async (batch) => {
        const entries = batch.map(({ item }) => item);
        await client.accept(source, entries);
        return performance.now();
      },
    });
  }

  /** Stores the body. What comes while another one is on its way shares a workflow with others. */
  store(event: Event): Promise<Stored> {
    return this.#bodies.push(toSized(event));
  }

  /** Durable once it returns; then gives the time. */
  accept(entry: BacklogEntry): Promise<number> {
    return this.#entries.push(toSized(entry));
  }
}

interface Sized<T> {
  readonly item: T;
  /** In characters of JSON. */
  readonly length: number;
}

function toSized<T>(item: T): Sized<T> {
  return { item, length: JSON.stringify(item).length };
}

function lengthOf({ length }: Sized<unknown>): number {
  return length;
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
