// The subscriptions of one source in memory, as of a version, and how they are kept so.
//
// A reading tells whether the copy is current. `describe` does, with no worker and no
// write, unless something has changed; then one query brings the change. A reading is
// good for an event only if it began after the event came, so an event that comes while
// one is on its way shares the next. Never two are in flight: the server answers only
// one strongly consistent query at a time.
//
// What is large is loaded in the background, and not begun anew by the next reading: it takes
// longer than a reading may. A new copy takes the place of the old one when it is whole; a change
// of the one in use shows half of itself meanwhile, above `version`.

import { setTimeout as sleepFor } from 'node:timers/promises';

import type { FilterIndex } from '../events/filter-index.ts';
import type { Subscription } from '../events/subscription.ts';
import { sleep, toFailureKind } from './failures.ts';
import { IndexedCopy } from './indexed-copy.ts';
import { QUERY_MS_MAX } from './source-client.ts';
import {
  applySlowly,
  askForChanges,
  isLarge,
  versionsOf,
  type Answer,
  type SourceReader,
} from './source-reading.ts';

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

/** How long a reading for the ingress may take: an event is better off in the backlog then. */
export const READING_MS_MAX = 400;

/**
 * ... and how long if the source is seen to change meanwhile: somebody is at work who will answer. In
 * the backlog the event would be no sooner.
 */
const WORKING_MS_MAX = 1_000;

/** How long to wait before the source is asked again when it was busy with another question. */
const BUSY_MS = 15;

/** How soon it is asked again when nobody answered, and nothing shows that somebody would. */
const ASK_AGAIN_MS = 1_000;

type Found = Omit<Reading, 'startedAt'>;

const UNKNOWN: Found = { kind: 'unknown', backlog: 0 };

export interface SubscribersOptions {
  /** Called with each reading, before anybody who waits for it goes on. */
  readonly onReading?: (reading: Reading) => void;
  /** @default READING_MS_MAX */
  readonly readingMsMax?: number;
  /**
   * How long one query of a reading may take.
   *
   * @default QUERY_MS_MAX
   */
  readonly queryMsMax?: number;
  /**
   * Asks the source even while it has a backlog. Who dispatches the backlog has to, and has the
   * one question that the server passes on at a time to itself.
   *
   * @default false
   */
  readonly asksBesideBacklog?: boolean;
}

export class Subscribers {
  readonly source: string;
  readonly #client: SourceReader;
  readonly #onReading: (reading: Reading) => void;
  readonly #readingMsMax: number;
  readonly #queryMsMax: number;
  readonly #asksBesideBacklog: boolean;
  #copy: IndexedCopy;
  #hasRoom = true;
  /** Somebody waits for the next reading who has to know all, backlog or not. */
  #isInsistedOn = false;
  #firstRunId = '';
  #runId = '';
  #version = 0;
  /** What the source had done last when nobody answered in time, and until when nobody is asked. */
  #idle = { look: '', until: Number.NEGATIVE_INFINITY };
  #reading: Promise<Reading> | undefined;
  #next: Promise<Reading> | undefined;
  /** What the source had done last when somebody looked. */
  #seen = '';
  /** What is being loaded in the background, and ends without a word, whatever comes of it. */
  #loading: Promise<void> | undefined;

  constructor(source: string, client: SourceReader, options: SubscribersOptions = {}) {
    this.source = source;
    this.#copy = new IndexedCopy(source);
    this.#client = client;
    this.#onReading = options.onReading ?? (() => {});
    this.#readingMsMax = options.readingMsMax ?? READING_MS_MAX;
    this.#queryMsMax = options.queryMsMax ?? QUERY_MS_MAX;
    this.#asksBesideBacklog = options.asksBesideBacklog ?? false;
  }

  get index(): FilterIndex<Subscription> {
    return this.#copy.index;
  }

  /** Those that get nothing. */
  get suspended(): FilterIndex<Subscription> {
    return this.#copy.suspended;
  }

  /** All of them, also those that are suspended and so not in the index. */
  get subscriptions(): readonly Subscription[] {
    return [...this.#copy.subscriptions];
  }

  /** Whether the source takes more events into its backlog. */
  get hasRoom(): boolean {
    return this.#hasRoom;
  }

  /** Every subscription up to this one is in the index; there may be some of later ones. */
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

  /** A reading that begins after this call, and tells all even while there is a backlog. */
  readBesideBacklog(): Promise<Reading> {
    this.#isInsistedOn = true;
    return this.read();
  }

  /** A reading, which may have begun already. */
  refresh(): Promise<Reading> {
    return this.#reading ?? this.#start();
  }

  /** Ends when nothing is on its way. */
  async close(): Promise<void> {
    this.#reset('');
    while (this.#reading !== undefined) await this.#reading;
    await this.#loading;
  }

  #start(): Promise<Reading> {
    const startedAt = performance.now();
    const asks = this.#asksBesideBacklog || this.#isInsistedOn;
    this.#isInsistedOn = false;
    this.#reading = this.#read(startedAt, asks)
      .catch((error: unknown): Found => {
        return toFailureKind(error) === 'overloaded' ? { ...UNKNOWN, kind: 'overloaded' } : UNKNOWN;
      })
      .then((found) => {
        this.#reading = undefined;
        const reading = { ...found, startedAt };
        this.#onReading(reading);
        return reading;
      });
    return this.#reading;
  }

  /** Looks until it knows. Another process may be asking, or signals keep coming. */
  async #read(startedAt: number, asksBesideBacklog: boolean): Promise<Found> {
    let deadline = startedAt + this.#readingMsMax;
    for (let before: string | undefined; ; before = this.#seen) {
      const found = await this.#look(deadline, asksBesideBacklog);
      if (found) return found;
      const isAtWork = before !== undefined && before !== this.#seen;
      if (isAtWork) deadline = Math.max(deadline, startedAt + WORKING_MS_MAX);
      if (performance.now() + BUSY_MS > deadline) return UNKNOWN;
      await sleep(BUSY_MS);
    }
  }

  async #look(deadline: number, asksBesideBacklog: boolean): Promise<Found | undefined> {
    const described = await this.#client.describe(this.source);
    this.#hasRoom = described?.hasRoom !== false || !described.isOpen;
    if (described === undefined) {
      this.#reset('');
      return { kind: 'current', backlog: 0 };
    }
    const { isPending, isRunning, memo, runId } = described;
    // One that was ended holds nothing any more; the next signal to it starts another, which
    // reads what it held. One that is paused answers nobody.
    if (!isRunning || memo?.recovering) {
      this.#reset('');
      return UNKNOWN;
    }
    const isKnown = runId === this.#runId && memo && memo.version <= this.#version;
    if (!isPending && isKnown) return { kind: 'current', backlog: memo.backlog };
    // Whatever else there is to know, what comes now goes behind the backlog.
    if (memo && memo.backlog > 0 && !asksBesideBacklog) {
      return { ...UNKNOWN, backlog: memo.backlog };
    }
    if (this.#loading && !(await this.#isLoaded(deadline))) return UNKNOWN;
    // Only a worker changes these.
    const look = `${runId} ${memo?.version} ${memo?.backlog}`;
    this.#seen = look;
    if (look === this.#idle.look && performance.now() < this.#idle.until) return UNKNOWN;
    try {
      return await this.#catchUp(deadline);
    } catch (error) {
      if (toFailureKind(error) !== 'retry') throw error;
      const now = performance.now();
      if (now + BUSY_MS > deadline) this.#idle = { look, until: now + ASK_AGAIN_MS };
      return undefined;
    }
  }

  /** Asks for what changed. Nothing is found yet if that is much: it is loaded meanwhile. */
  async #catchUp(deadline: number): Promise<Found | undefined> {
    const asked = { firstRunId: this.#firstRunId, since: this.#version };
    // Who answers once will go on: only the first answer has to come in time.
    const forMs = Math.min(this.#queryMsMax, deadline - performance.now());
    const answer = await askForChanges(this.#client, this.source, { ...asked, forMs });
    if (isLarge(answer)) {
      this.#loading = this.#load(answer).finally(() => (this.#loading = undefined));
      return undefined;
    }
    const { first } = answer;
    if (first.snapshot) this.#reset(first.firstRunId);
    this.#copy.applyChanges(first, versionsOf(answer, this.#version));
    this.#runId = first.runId;
    this.#version = first.version;
    return first.recovering ? UNKNOWN : { kind: 'current', backlog: first.backlog };
  }

  async #load(answer: Answer): Promise<void> {
    const { first } = answer;
    const before = this.#copy;
    const copy = first.snapshot ? new IndexedCopy(this.source) : before;
    const versions = versionsOf(answer, this.#version);
    try {
      const isWanted = (): boolean => this.#copy === before;
      await applySlowly(this.#client, copy, {
        source: this.source,
        answer,
        versions,
        isWanted,
      });
      // There is no such source any more, or not the one that was read.
      if (!isWanted()) return;
      this.#copy = copy;
      this.#firstRunId = first.firstRunId;
      this.#runId = first.runId;
      this.#version = first.version;
    } catch (error) {
      console.error(`the subscriptions of ${this.source} could not be loaded:`, error);
      // Half of a change is not to be applied twice.
      if (copy === this.#copy) this.#reset('');
    }
  }

  /** Waits for what is being loaded, but not for longer than a reading may take. */
  async #isLoaded(deadline: number): Promise<boolean> {
    const late = new AbortController();
    const waiting = sleepFor(Math.max(0, deadline - performance.now()), undefined, late);
    await Promise.race([this.#loading, waiting.catch(() => {})]);
    late.abort();
    return this.#loading === undefined;
  }

  #reset(firstRunId: string): void {
    this.#copy = new IndexedCopy(this.source);
    this.#firstRunId = firstRunId;
    this.#runId = '';
    this.#version = 0;
  }
}
