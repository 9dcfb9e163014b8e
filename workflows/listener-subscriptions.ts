// What a listener subscribes to, and the readers of it: they take every event the moment it is
// there, so that the run is never full of what nobody reads.
//
// Subscriptions that others take the place of are drained: they get what came before, out of
// backlogs and from processes that have matched it already, until nothing of that can be left.

import { condition, patched, sleep } from '@temporalio/workflow';

import {
  events,
  SubscriptionOverflowError,
  subscribe,
  unsubscribe,
  UnknownSubscriptionError,
} from './subscribe.ts';
import type { Event } from '../events/event.ts';
import type { ListenerDefinition } from '../events/listener.ts';
import { currentInbox } from './current-inbox.ts';
import { keyOf, WINDOW_EVENTS_MAX } from './event-window.ts';
import type { CarriedSubscriptions, Draining, HeldSubscription } from './listener-records.ts';
import { withdraw } from './registration.ts';

/** For so long an event that was matched before its subscription was withdrawn may be on its way. */
const LATE_MS = 10_000;

/** Whoever asks for a change waits for so long at the most until the backlogs are through. */
const WITHDRAWN_WITHIN_MS = 10_000;

const NONE: CarriedSubscriptions = { subscriptions: [] };

export class Subscriptions {
  readonly #take: (event: Event) => void;
  #held: readonly HeldSubscription[];
  readonly #draining = new Set<Draining>();
  /** How many withdrawals the sources have not heard of yet. */
  #withdrawing = 0;
  /** What was taken while some are replaced: those that take their place may have it, too. */
  #taken: Set<string> | undefined;
  #isReplacing = false;
  #isFull = false;
  #readers = 0;

  /** `carried`: what the run before has left. */
  constructor(carried: CarriedSubscriptions = NONE, take: (event: Event) => void) {
    const { subscriptions, draining = [], taken } = carried;
    this.#take = take;
    this.#held = subscriptions;
    if (taken) this.#taken = new Set(taken);
    for (const { id } of subscriptions) void this.#read(id);
    for (const one of draining) {
      void this.#read(one.id);
      void this.#drain(one);
    }
  }

  /** The run takes no more events: the next one does. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Something has come that a reader has yet to take. */
  get areBehind(): boolean {
    if (this.#readers === 0) return false;
    const inbox = currentInbox();
    return inbox.turns.events.length > 0 || inbox.describe().some(({ unread }) => unread > 0);
  }

  toState(): CarriedSubscriptions {
    const subscriptions = this.#held;
    if (this.#draining.size === 0) return { subscriptions };
    const taken = [...(this.#taken ?? [])].slice(-WINDOW_EVENTS_MAX);
    return { subscriptions, draining: [...this.#draining], taken };
  }

  /**
   * Makes them those of a definition. No event that the definition before or this one wants is missed,
   * or taken twice. Gives whether some ended.
   *
   * @throws what `subscribe` throws, and then all is as it was
   */
  async replace({
    sources,
    filter,
  }: Pick<ListenerDefinition, 'sources' | 'filter'>): Promise<boolean> {
    const kept = this.#held.filter(
      (held) => held.filter === filter && sources.includes(held.source),
    );
    const missing = sources.filter((source) => !kept.some((held) => held.source === source));
    this.#isReplacing = true;
    this.#taken ??= new Set();
    const made: HeldSubscription[] = [];
    try {
      for (const source of missing) {
        made.push({ id: await subscribe(source, filter), source, filter });
      }
    } catch (error) {
      for (const { id } of made) await unsubscribe(id);
      this.#isReplacing = false;
      this.#settle();
      throw error;
    }
    this.#isReplacing = false;
    const ended = this.#held.filter((held) => !kept.includes(held));
    this.#held = [...kept, ...made];
    // From here to the readers nothing waits: no event comes in between.
    const taken = this.#taken;
    const ending = this.#drainAll(ended);
    for (const { id } of made) void this.#read(id, taken);
    await ending;
    return ended.length > 0;
  }

  /** They get nothing that comes from now on. */
  async drain(): Promise<void> {
    const ended = this.#held;
    this.#held = [];
    await this.#drainAll(ended);
  }

  /** Ends all of them, whatever is on its way. */
  async end(): Promise<void> {
    const ended = [...this.#held, ...this.#draining];
    this.#held = [];
    this.#draining.clear();
    await Promise.all(ended.map(({ id }) => unsubscribe(id)));
  }

  /**
   * Waits until none of those that are drained is given what comes now; not for long, and not once the
   * run is to end.
   */
  async untilWithdrawn(isEnding: () => boolean): Promise<void> {
    if (this.#withdrawing === 0) return;
    await condition(() => this.#withdrawing === 0 || isEnding(), WITHDRAWN_WITHIN_MS);
  }

  /** In the histories of older code they end at once. */
  async #drainAll(ended: readonly HeldSubscription[]): Promise<void> {
    if (ended.length > 0 && patched('drains')) {
      const since = Date.now();
      for (const held of ended) void this.#drain({ ...held, since });
      return;
    }
    this.#settle();
    await Promise.all(ended.map(({ id }) => unsubscribe(id)));
  }

  /** In each run anew: one that goes on after another registers all that it holds. */
  async #drain(draining: Draining): Promise<void> {
    this.#draining.add(draining);
    this.#withdrawing += 1;
    await withdraw(currentInbox(), draining.id, draining.since);
    this.#withdrawing -= 1;
    const withdrawn = { ...draining, until: draining.until ?? Date.now() + LATE_MS };
    if (this.#draining.delete(draining)) this.#draining.add(withdrawn);
    const restMs = Math.max(1, withdrawn.until - Date.now());
    await sleep(restMs, { summary: 'until nothing is on its way' });
    // What came while no worker was there comes together with the timer.
    await condition(() => !this.areBehind);
    this.#draining.delete(withdrawn);
    await unsubscribe(draining.id);
    this.#settle();
  }

  /** Only while some are replaced or drained can an event come to two of them. */
  #settle(): void {
    if (!this.#isReplacing && this.#draining.size === 0) this.#taken = undefined;
  }

  /** `taken`: what others may have taken before this one was there to read. */
  async #read(id: string, taken?: ReadonlySet<string>): Promise<void> {
    this.#readers += 1;
    try {
      for await (const event of events(id)) {
        if (!taken?.has(keyOf(event)) && this.#isNew(event)) this.#take(event);
      }
    } catch (error) {
      // It was unsubscribed.
      if (error instanceof UnknownSubscriptionError) return;
      if (!(error instanceof SubscriptionOverflowError)) throw error;
      this.#isFull = true;
    } finally {
      this.#readers -= 1;
    }
  }

  #isNew(event: Event): boolean {
    if (this.#taken === undefined) return true;
    const key = keyOf(event);
    if (this.#taken.has(key)) return false;
    this.#taken.add(key);
    return true;
  }
}
