// Dispatches what is in the backlog of a source: the same match and the same signals as
// in the ingress, for the subscriptions that were there when each event was accepted.
//
// Workflows are signalled in the order of the source, many at once, and the server hears up to
// which place all are done with which events: another attempt goes on from there. What it
// repeats, workflows drop by the event's id; and as each attempt signals a workflow from the
// oldest event that may be missing, repeating changes no order either.

import { Context, heartbeat } from '@temporalio/activity';

import { retrying, unlessGone } from '../dispatch/failures.ts';
import type { Lanes } from '../dispatch/lanes.ts';
import { Misses } from '../dispatch/misses.ts';
import { sharesOf, type Known, type PlacedEvent, type Share } from '../dispatch/shares.ts';
import { sideBySide } from '../dispatch/side-by-side.ts';
import { CALL_MS_MAX, type SourceClient } from '../dispatch/source-client.ts';
import { Subscribers } from '../dispatch/subscribers.ts';
import type { Event } from '../events/event.ts';
import type { SubscriptionId } from '../events/subscription.ts';
import { storedEventWorkflowId, type PlacedEntry } from '../workflows/messages.ts';

/** How many events are loaded at once. */
const EVENTS_AT_ONCE = 32;

/**
 * How many workflows are signalled at once: a part of what a process and a server can do, so that
 * one event for very many holds up nothing else.
 */
const WORKFLOWS_AT_ONCE = 32;

/** How long it may take to know every subscription: nobody waits for an answer here. */
const READING_MS_MAX = 10_000;

/** How often the server hears how far the activity is. */
const HEARTBEAT_MS = 1_000;

/** After a pause of this length the server may have begun another attempt. It does after 5 seconds. */
const PAUSE_MS_MAX = 4_000;

export interface BacklogRequest {
  readonly source: string;
  /** Oldest first. */
  readonly entries: readonly PlacedEntry[];
}

export interface BacklogDeps {
  readonly client: SourceClient;
  /** Lanes that never give up: the events are acknowledged. */
  readonly lanes: Lanes;
}

/** How far an attempt is, as the next one is told. */
export interface Progress {
  /** So many entries are with everybody who wants them. */
  readonly done: number;
  /** So many that follow are with some, */
  readonly begun: number;
  /** which are all whose subscriptions are up to this place. */
  readonly upTo: number;
}

export function createBacklogActivities(deps: BacklogDeps) {
  const subscribersOf = new Map<string, Subscribers>();
  return {
    /** Ends once every entry is durable with everybody who wants it. */
    async nexteventDispatchBacklog({ source, entries }: BacklogRequest): Promise<void> {
      const subscribers =
        subscribersOf.get(source) ??
        new Subscribers(source, deps.client, {
          readingMsMax: READING_MS_MAX,
          queryMsMax: READING_MS_MAX,
          asksBesideBacklog: true,
        });
      subscribersOf.set(source, subscribers);
      const attempt = new Attempt(source, deps);
      try {
        const { kind } = await subscribers.read();
        if (kind !== 'current') throw new Error(`the subscriptions of ${source} are unknown`);
        // Now, because a later reading may begin anew, and knows less until it has ended.
        const { index, suspended, version } = subscribers;
        await attempt.dispatch(entries, { index, suspended, version });
      } finally {
        attempt.end();
      }
    },
  };
}

class Attempt {
  readonly #source: string;
  readonly #deps: BacklogDeps;
  readonly #ended = new AbortController();
  readonly #stopped = AbortSignal.any([Context.current().cancellationSignal, this.#ended.signal]);
  readonly #beat = setInterval(() => this.#tell(), HEARTBEAT_MS);
  #toldAt = performance.now();
  #progress = toProgress(Context.current().info.heartbeatDetails);
  /** The places of the shares that are on their way, lowest first. */
  readonly #onTheirWay = new Set<number>();
  #gone: SubscriptionId[] = [];
  /** By the workflows that have them. */
  #loaded: ReadonlyMap<string, Promise<readonly Event[] | undefined>> = new Map();

  constructor(source: string, deps: BacklogDeps) {
    this.#source = source;
    this.#deps = deps;
  }

  async dispatch(entries: readonly PlacedEntry[], known: Known): Promise<void> {
    const misses = new Misses(this.#source, { client: this.#deps.client, upTo: known.version });
    while (this.#progress.done < entries.length) {
      const from = this.#progress.done;
      const loaded = await this.#load(entries.slice(from, from + EVENTS_AT_ONCE));
      const begin = loaded.findIndex((found) => found !== undefined);
      const lost = begin === -1 ? loaded.length : begin;
      if (lost > 0) this.#skip(entries.slice(from, from + lost));
      const end = loaded.indexOf(undefined, lost);
      let events = loaded.slice(lost, end === -1 ? undefined : end).flatMap((found) => found ?? []);
      while (events.length > 0) {
        const { done, begun, upTo } = this.#progress;
        const part = await sharesOf(known, events, { events: begun, upTo });
        this.#progress = { done, begun: part.events, upTo };
        await sideBySide(this.#takeTurns(part.shares), WORKFLOWS_AT_ONCE, async (share) => {
          await this.#signal(share, misses);
          this.#onTheirWay.delete(share.seq);
        });
        this.#unregisterGone(known);
        this.#progress = { done: done + part.events, begun: 0, upTo: 0 };
        events = events.slice(part.events);
      }
    }
  }

  /** Nothing more is signalled: another attempt may be at work, or all is done. */
  end(): void {
    clearInterval(this.#beat);
    this.#ended.abort();
  }

  /** `undefined` stands for what was deleted. */
  async #load(entries: readonly PlacedEntry[]): Promise<ReadonlyArray<PlacedEvent | undefined>> {
    const stores = [...new Set(entries.map((entry) => this.#storeOf(entry)))];
    const loading = stores.map((workflowId) => [workflowId, this.#loadStore(workflowId)] as const);
    // The next entries may be in the last of them, too.
    this.#loaded = new Map(loading);
    return Promise.all(
      entries.map(async (entry) => {
        const events = await this.#loadStore(this.#storeOf(entry));
        if (events === undefined) return undefined;
        const event = entry.storedAmong ? events.find(({ id }) => id === entry.eventId) : events[0];
        if (event === undefined)
          throw new Error(`event ${entry.eventId} is not where it was stored`);
        return { entry, event };
      }),
    );
  }

  /** Nothing is won if all that follow wait for what nobody has any more. */
  #skip(lost: readonly PlacedEntry[]): void {
    this.#progress = { done: this.#progress.done + lost.length, begun: 0, upTo: 0 };
    for (const entry of lost) {
      const store = this.#storeOf(entry);
      console.error(`event ${entry.eventId} is lost: ${store}, which had it, was deleted`);
    }
  }

  #storeOf({ eventId, storedIn, storedAmong }: PlacedEntry): string {
    return storedAmong ?? storedIn ?? storedEventWorkflowId({ source: this.#source, id: eventId });
  }

  /** `undefined` if it was deleted. */
  #loadStore(workflowId: string): Promise<readonly Event[] | undefined> {
    const { client } = this.#deps;
    const loaded = this.#loaded.get(workflowId);
    return loaded ?? unlessGone(() => retrying(CALL_MS_MAX, () => client.loadEvents(workflowId)));
  }

  /** Those that come in the order of their places, as long as this is the attempt that counts. */
  *#takeTurns(shares: readonly Share[]): Iterable<Share> {
    for (const share of shares) {
      this.#stopAfterPause();
      this.#stopped.throwIfAborted();
      // Everything before it is on its way or done, so the lowest on its way tells how far it is.
      this.#onTheirWay.add(share.seq);
      yield share;
    }
  }

  async #signal({ target, matched, missed }: Share, misses: Misses): Promise<void> {
    const refused = new Map(missed);
    const settling = matched.map(async ({ event, subscriptions }) => {
      const outcome = await this.#deps.lanes.push(target, { event, subscriptions });
      if (outcome === 'gone') this.#gone.push(...subscriptions);
      if (outcome === 'refused') {
        console.error(`${target.workflowId} takes no more signals: it got no ${event.id}`);
        for (const id of subscriptions) refused.set(id, (refused.get(id) ?? 0) + 1);
      }
      if (outcome === 'stuck' || outcome === 'overloaded') {
        throw new Error(`${target.workflowId} takes no signal`);
      }
    });
    await Promise.all(settling);
    // Before it counts as done, so that what was missed is counted by this attempt or the next.
    if (refused.size > 0) await misses.report(refused);
  }

  /** But what was registered again since is of a run that was not seen to be gone. */
  #unregisterGone({ version }: Known): void {
    const gone = [...new Set(this.#gone)];
    this.#gone = [];
    if (gone.length === 0) return;
    // Not waited for: at worst the next event finds again that they are gone.
    this.#deps.client.unregister(this.#source, gone, version).catch(() => {});
  }

  #tell(): void {
    this.#stopAfterPause();
    this.#toldAt = performance.now();
    const [lowest] = this.#onTheirWay;
    const { upTo, ...progress } = this.#progress;
    heartbeat({ ...progress, upTo: lowest === undefined ? upTo : Math.max(upTo, lowest - 1) });
  }

  /**
   * A process that was stopped for a while goes on where it was, while the server has given its
   * work to another. Repeating does no harm, but only as far back as workflows remember.
   */
  #stopAfterPause(): void {
    if (performance.now() - this.#toldAt < PAUSE_MS_MAX) return;
    this.#ended.abort(new Error(`the worker stood still for more than ${PAUSE_MS_MAX} ms`));
  }
}

/** Before there was more to tell it was the number of entries that are done. */
function toProgress(details: Progress | number | undefined): Progress {
  return typeof details === 'object' ? details : { done: details ?? 0, begun: 0, upTo: 0 };
}
