// The way of one source's events to the workflows that want them.
//
// An event is *open* until a reading that began after it came has told that every
// subscriber is known. While it is open, it is matched against every subscriber that a
// reading brings, in the order in which events came, before any newer event is. With
// leave, it is signalled to those that the copy knows at once. Then it is decided: fast,
// its triggers start and its signals are waited for; or slow, and the backlog has it.

import type { Event } from '../events/event.ts';
import { receivesFrom, type Subscription } from '../events/subscription.ts';
import { toArrival, type Arrival, type Decision, type Signalled } from './arrival.ts';
import { BacklogWriter, LEAVE_MS, untilAcknowledgeable } from './backlog.ts';
import { Deferred } from './deferred.ts';
import { UnavailableError } from './errors.ts';
import { toUnavailable } from './failures.ts';
import type { Lanes, Outcome } from './lanes.ts';
import { MatchFailures } from './match-failures.ts';
import { matchSubscribers, type Match } from './matcher.ts';
import type { SourceClient } from './source-client.ts';
import { NO_OBSERVER, observeMatch, type DispatchObserver } from './observer.ts';
import type { Respondent } from './responses.ts';
import { Subscribers, type Reading } from './subscribers.ts';
import type { Triggers } from './triggers.ts';

/** An event for more workflows than this goes to the backlog. */
export const FAN_OUT_MAX = 256;

/**
 * While the backlog gets shorter, an event waits for so long for its end, rather than make it
 * longer: otherwise a source with steady traffic would never be without one again. It is about as
 * long as the way through the backlog takes on a busy machine.
 */
const DRAIN_MS_MAX = 2_000;

/** How long ago the backlog has become shorter at the most, if somebody is at it. */
const STILL_MS_MAX = 2_000;

/** How soon the source is looked at again for those that wait. */
const LOOK_AGAIN_MS = 25;

/** A source is read this often while it is in use, so that its events have leave. */
const REFRESH_MS = 120;

/** ... which it is until this long after its last event. */
const IN_USE_MS = 30_000;

/** When to try again while the backlog is full: a worker has to come first. */
const FULL_RETRY_SECONDS = 10;

/** Where an event went. */
export interface Dispatched {
  /** The ids of the workflows that it started, now or when it came before, or fed. */
  readonly started: readonly string[];
  /** How many workflows were signalled. */
  readonly signalled: number;
  /** How many triggers and subscriptions of its source did not want it. */
  readonly unmatched: number;
  /** It is in the backlog of its source, which signals those that want it. */
  readonly queued: boolean;
  /** The workflow whose answer its sender waits for. */
  readonly respondent?: Respondent;
}

/** The place of an event in the line for the backlog. */
interface Turn {
  readonly before: Promise<unknown>;
  readonly settle: () => void;
}

export interface SourceDispatcherDeps {
  readonly client: SourceClient;
  readonly lanes: Lanes;
  readonly triggers: Triggers;
  readonly observer?: DispatchObserver;
}

export class SourceDispatcher {
  /** Filters that could not be evaluated, in this process. */
  readonly failures = new MatchFailures();
  readonly #source: string;
  readonly #deps: SourceDispatcherDeps;
  readonly #subscribers: Subscribers;
  readonly #backlog: BacklogWriter;
  readonly #open = new Set<Arrival>();
  /** When the last reading began that showed no backlog. */
  #leaveAt = Number.NEGATIVE_INFINITY;
  /** How long the backlog was when it was seen last, and when it was seen to be shorter than before. */
  #drain = { backlog: 0, shorterAt: Number.NEGATIVE_INFINITY };
  /** Events that are on their way into the backlog. */
  readonly #queueing = new Set<Arrival>();
  /** Ends when everything that came before is durable, or in line for the backlog. */
  #settled: Promise<unknown> = Promise.resolve();
  #usedAt = Number.NEGATIVE_INFINITY;
  #refresher: NodeJS.Timeout | undefined;

  constructor(source: string, deps: SourceDispatcherDeps) {
    this.#source = source;
    this.#deps = deps;
    this.#subscribers = new Subscribers(source, deps.client, {
      onReading: (reading) => this.#onReading(reading),
    });
    this.#backlog = new BacklogWriter(source, deps.client);
  }

  /** Reads the source before its first event comes. */
  async warmUp(): Promise<void> {
    const described = await this.#deps.client.describe(this.#source).catch(() => undefined);
    // Somebody has terminated it: the sooner it begins to recover, the fewer events wait for it.
    if (described?.isOpen === false) await this.#deps.client.restart(this.#source);
    await this.#subscribers.refresh();
  }

  /** The subscriptions that get events, as this process knows them. */
  get known(): Iterable<Subscription> {
    return this.#subscribers.index.values();
  }

  /** The subscriptions, from a reading that begins now; undefined if nobody can tell in time. */
  async subscriptions(): Promise<readonly Subscription[] | undefined> {
    const reading = await this.#subscribers.readBesideBacklog();
    return reading.kind === 'current' ? this.#subscribers.subscriptions : undefined;
  }

  /** Ends once nothing is asked of the server any more. */
  async close(): Promise<void> {
    clearInterval(this.#refresher);
    await this.#subscribers.close();
  }

  /** Returns once the event is durable wherever it has to go. */
  async dispatch(event: Event): Promise<Dispatched> {
    this.#keepFresh();
    const arrival = toArrival(event);
    this.#open.add(arrival);
    if (this.#hasLeave(arrival)) this.#takeMatches(arrival);
    const before = this.#settled;
    const settled = new Deferred<void>();
    const settle = (): void => settled.resolve();
    this.#settled = settled.promise;
    void this.#subscribers.read();
    try {
      const decided = await arrival.decision.promise;
      return await this.#handOver(arrival, decided, { before, settle });
    } finally {
      this.#queueing.delete(arrival);
      void before.then(settle);
    }
  }

  async #handOver(arrival: Arrival, decided: Decision, turn: Turn): Promise<Dispatched> {
    try {
      const outcomes = await this.#outcomes(arrival);
      if (decided === 'overloaded' || outcomes.includes('overloaded')) {
        throw new UnavailableError('Temporal is overloaded', 2);
      }
      const leftOver = arrival.signalled.filter((_, index) => outcomes[index] === 'stuck');
      if (decided === 'slow' || leftOver.length > 0) {
        return await this.#queue(arrival, leftOver, turn);
      }
      void turn.before.then(turn.settle);
      return await this.#finish(arrival, outcomes);
    } catch (error) {
      throw toUnavailable(error);
    }
  }

  async #finish({ event, signalled }: Arrival, outcomes: readonly Outcome[]): Promise<Dispatched> {
    const { ids: started, ...rest } = await this.#deps.triggers.start(event);
    const taken = new Set<string>();
    let matched = started.length;
    for (const [index, { target, ids }] of signalled.entries()) {
      matched += ids.length;
      if (outcomes[index] === 'taken') taken.add(target.workflowId);
    }
    const known = this.#subscribers.index.size + this.#deps.triggers.count(this.#source);
    const unmatched = Math.max(0, known - matched);
    return { started, signalled: taken.size, unmatched, queued: false, ...rest };
  }

  /** The outcomes of all signals. Subscribers that are gone are removed from the source. */
  async #outcomes({ signalled }: Arrival): Promise<Outcome[]> {
    const outcomes = await Promise.all(signalled.map(({ outcome }) => outcome));
    const gone = signalled.filter((_, index) => outcomes[index] === 'gone');
    if (gone.length > 0) {
      const ids = gone.flatMap((signal) => signal.ids);
      // What was registered again since is of a run that was not seen to be gone.
      const upTo = Math.min(...gone.map(({ version }) => version));
      // Not waited for: at worst the next event finds again that they are gone.
      this.#deps.client.unregister(this.#source, ids, upTo).catch(() => {});
    }
    for (const [index, { target, ids, version }] of signalled.entries()) {
      if (outcomes[index] !== 'refused') continue;
      console.error(`${target.workflowId} takes no more signals: ${ids.join(', ')} got no event`);
      // Neither: the next event finds again that it is refused, and is counted, too.
      const request = { ids, undeliverable: 1, upTo: version };
      this.#deps.client.suspend(this.#source, request).catch(() => {});
    }
    return outcomes;
  }

  async #queue(arrival: Arrival, leftOver: readonly Signalled[], turn: Turn): Promise<Dispatched> {
    if (!this.#subscribers.hasRoom) {
      throw new UnavailableError(`the backlog of ${this.#source} is full`, FULL_RETRY_SECONDS);
    }
    this.#queueing.add(arrival);
    const stored = await this.#backlog.store(arrival.event);
    await turn.before;
    const after = this.#matchedVersion(arrival);
    const durable = this.#backlog.accept({
      eventId: arrival.event.id,
      ...stored,
      after,
      ...(after > 0 && { chain: this.#subscribers.chain }),
      acceptedAt: Date.now(),
      ...(leftOver.length > 0 && { leftOver: leftOver.map(({ target }) => target.workflowId) }),
    });
    turn.settle();
    const durableAt = await durable;
    const { ids: started, ...rest } = await this.#deps.triggers.start(arrival.event);
    await untilAcknowledgeable(durableAt);
    return { started, signalled: 0, unmatched: 0, queued: true, ...rest };
  }

  #onReading(reading: Reading): void {
    const isCurrent = reading.kind === 'current';
    this.#leaveAt =
      isCurrent && reading.backlog === 0 ? reading.startedAt : Number.NEGATIVE_INFINITY;
    const isDraining = this.#isDraining(reading);
    let waits = false;
    for (const arrival of this.#open) {
      const isFast = isCurrent && (arrival.matched !== undefined || this.#hasLeave(arrival));
      if (isFast && !this.#takeMatches(arrival)) continue;
      if (arrival.at > reading.startedAt) continue;
      if (!isFast && isDraining && performance.now() - arrival.at < DRAIN_MS_MAX) {
        waits = true;
        continue;
      }
      const decision = isFast ? 'fast' : 'slow';
      this.#decide(arrival, reading.kind === 'overloaded' ? 'overloaded' : decision);
    }
    if (waits) setTimeout(() => void this.#subscribers.read(), LOOK_AGAIN_MS).unref();
  }

  /** Whether there is a backlog, and somebody is at it. */
  #isDraining({ backlog, startedAt, kind }: Reading): boolean {
    if (kind === 'overloaded') return false;
    const isShorter = backlog < this.#drain.backlog;
    this.#drain = { backlog, shorterAt: isShorter ? startedAt : this.#drain.shorterAt };
    return backlog > 0 && startedAt - this.#drain.shorterAt < STILL_MS_MAX;
  }

  #decide(arrival: Arrival, decision: Decision): void {
    this.#open.delete(arrival);
    if (decision === 'slow') this.#queueing.add(arrival);
    arrival.decision.resolve(decision);
  }

  #hasLeave({ at }: Arrival): boolean {
    return this.#queueing.size === 0 && at - this.#leaveAt < LEAVE_MS;
  }

  /** Whether it is still open; it is not if it matches too many, or can not be matched at all. */
  #takeMatches(arrival: Arrival): boolean {
    try {
      if (this.#match(arrival)) return true;
      this.#decide(arrival, 'slow');
    } catch (error) {
      // Its own sender alone hears of it: others are open beside it.
      this.#open.delete(arrival);
      arrival.decision.reject(error);
    }
    return false;
  }

  /** Signals the event to those that it was not matched against yet; false if they are too many. */
  #match(arrival: Arrival): boolean {
    const { chain, version } = this.#subscribers;
    const after = this.#matchedVersion(arrival);
    // Above its version, the copy may be half of what it is to be.
    const isNew = (one: Subscription): boolean =>
      receivesFrom(one) > after && receivesFrom(one) <= version;
    const { matches, failures } = this.#matchThose(isNew, arrival.event);
    this.failures.add(arrival.event, failures);
    if (matches.length > FAN_OUT_MAX) return false;
    arrival.matched = { chain, version };
    for (const match of matches) this.#signal(arrival, match);
    return true;
  }

  #matchThose(isAskedFor: (subscription: Subscription) => boolean, event: Event) {
    const { index } = this.#subscribers;
    return observeMatch(this.#deps.observer ?? NO_OBSERVER, this.#source, () => {
      const { matches, failed: failures } = matchSubscribers(index, event, isAskedFor);
      const matched = matches.reduce((sum, { subscriptions }) => sum + subscriptions.length, 0);
      return { matches, failures, matched, failed: failures.size };
    });
  }

  #matchedVersion({ matched }: Arrival): number {
    return matched?.chain === this.#subscribers.chain ? matched.version : 0;
  }

  #signal({ event, signalled }: Arrival, { target, subscriptions }: Match): void {
    const outcome = this.#deps.lanes.push(target, { event, subscriptions });
    const { version } = this.#subscribers;
    signalled.push({ target, ids: subscriptions, version, outcome });
  }

  #keepFresh(): void {
    this.#usedAt = performance.now();
    if (this.#refresher) return;
    this.#refresher = setInterval(() => {
      if (performance.now() - this.#usedAt < IN_USE_MS) {
        void this.#subscribers.refresh();
        return;
      }
      clearInterval(this.#refresher);
      this.#refresher = undefined;
    }, REFRESH_MS);
    this.#refresher.unref();
  }
}
