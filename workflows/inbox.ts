// What a workflow has received and not yet read.
//
// Every arrival of an event that a held subscription wants has a position, counted
// over the whole chain of runs. The window remembers the last positions by event, so
// that an event that comes again (a retry of its sender, of the ingress, or of the
// backlog) reaches no subscription twice, and so that a subscription never gets an
// event that its workflow had already received when it subscribed. Only what comes early,
// to a task that is executed again before it has made the subscription, is given unless
// it was read.
//
// An event goes to the first waiter that wants it the moment it arrives; it is in
// the queue only while nobody waits for it.

import type { Event } from '../events/event.ts';
import type { SubscriptionId } from '../events/subscription.ts';
import type { Registered } from '../activities/registration.ts';
import { describeHeld } from './describe-held.ts';
import { EarlyEvents } from './early-events.ts';
import { EventWindow, keyOf } from './event-window.ts';
import { toEnded, type Ended, type HeldSubscription } from './inbox-state.ts';
import type { InboxState, Wish } from './inbox-state.ts';
import type { EventBatch, HeldDescription } from './messages.ts';
import { Places } from './places.ts';
import { ShownSources } from './shown-sources.ts';
import { NEWEST_TURNS, Turns, type Going, type Turn } from './turns.ts';
import { insert, merge, placeAll, type Placed, type Unread } from './unread.ts';
import { Waiters, type Waiter } from './waiters.ts';

/**
 * The subscription under which a trigger's further events arrive. Every workflow holds it, and
 * no source knows it. Made of the SHA-256 of `nextevent:trigger`, as other ids are.
 */
export const TRIGGER_SUBSCRIPTION: SubscriptionId = '382d8dcd-de96-8fb5-8e64-aff42534ca62';

/** Its index in what crosses continue-as-new. */
const TRIGGER_INDEX = -1;

export class Inbox {
  /** When code goes on with its event. */
  readonly turns: Turns;
  /** What the search attribute names. */
  readonly shown = new ShownSources();
  readonly #held = new Map<SubscriptionId, HeldSubscription>([
    [TRIGGER_SUBSCRIPTION, { id: TRIGGER_SUBSCRIPTION, source: '', filter: '', position: 0 }],
  ]);
  readonly #releasing = new Map<SubscriptionId, Ended>();
  readonly #ended = new Set<SubscriptionId>();
  /** Held, but no code has their ids yet. */
  readonly #unregistered = new Set<SubscriptionId>();
  readonly #window = new EventWindow();
  readonly #waiters = new Waiters();
  readonly #early = new EarlyEvents();
  readonly #places = new Places(this.#window);
  #unread: Unread[] = [];
  #position = 0;
  #carried = 0;
  #closed = false;
  #suspended = false;
  #registering = false;
  /** How many signals the run has taken, of any kind. */
  signals = 0;

  constructor(going: Going) {
    this.turns = new Turns(going, this.#places.of);
  }

  /** What sources know of. */
  get held(): readonly HeldSubscription[] {
    return [...this.#held.values()].filter(({ id }) => id !== TRIGGER_SUBSCRIPTION);
  }

  get releasing(): readonly Ended[] {
    return [...this.#releasing.values()];
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The run takes no more: what is unread can be read, and the next run goes on. */
  get suspended(): boolean {
    return this.#suspended;
  }

  get isWaiting(): boolean {
    return this.#waiters.size > 0;
  }

  /** What is subscribed to, with how much has come. */
  describe(): readonly HeldDescription[] {
    const shown = [...this.#held.values()].filter(
      ({ id, received }) =>
        id !== TRIGGER_SUBSCRIPTION || received !== undefined || this.#waiters.isWaitedFor(id),
    );
    return describeHeld(shown, this.#unread, this);
  }

  /** The name that it was subscribed under. */
  sourceOf(id: SubscriptionId): string {
    return id === TRIGGER_SUBSCRIPTION ? 'its trigger' : (this.#held.get(id)?.source ?? '');
  }

  holds(id: SubscriptionId): boolean {
    return this.#held.has(id);
  }

  /** The run was started by this event: no subscription of this workflow gets it. */
  startedBy(event: Event): void {
    const key = keyOf(event);
    // The trigger's signal brings it too, and comes before this call.
    this.#unread = this.#unread.filter(
      (unread, at) =>
        at < this.#carried || unread.id !== TRIGGER_SUBSCRIPTION || keyOf(unread.event) !== key,
    );
    if (!this.#window.find(key)) this.#window.remember(key, { position: 0, takenBy: new Set() });
    this.#window.pass(event);
  }

  /**
   * Events from now on are for this subscription too, and what came early for it: in its order with
   * what is unread, or behind that in the histories of older code, which `keepsOrder` tells.
   */
  hold(subscription: Wish, keepsOrder = () => true): void {
    this.#held.set(subscription.id, { ...subscription, position: this.#position });
    this.#unregistered.add(subscription.id);
    const early = this.#early.takeFor(subscription.id);
    if (early.length === 0) return;
    if (keepsOrder()) this.#insert(early);
    else for (const { one } of early) this.#receive(one.event, one.id);
  }

  /** It is registered with this source. */
  registered(id: SubscriptionId, { source, isSearchable, ...turns }: Registered): void {
    this.turns.begin(turns);
    this.#unregistered.delete(id);
    const held = this.#held.get(id);
    if (held === undefined || source === undefined) return;
    this.#held.set(id, { ...held, resolved: source, ...(isSearchable && { isSearchable }) });
  }

  /** Drops the subscription and what is queued for it. */
  end(id: SubscriptionId): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#held.delete(id);
    this.#unregistered.delete(id);
    this.#ended.add(id);
    this.#releasing.set(id, toEnded(held));
    this.#unread = this.#unread.filter((unread) => unread.id !== id);
    this.#waiters.abandon(
      'unsubscribed',
      ({ ids }) => ![...ids].some((wanted) => this.#held.has(wanted)),
    );
  }

  /** The source has heard that these ended. */
  released(ids: readonly SubscriptionId[]): void {
    for (const id of ids) this.#releasing.delete(id);
  }

  receive(batch: EventBatch): void {
    for (const { event, subscriptions } of batch.events) {
      for (const id of subscriptions) this.#receive(event, id);
    }
  }

  /** Takes in what the trigger brings. */
  feed(events: readonly Event[]): void {
    for (const event of events) this.#receive(event, TRIGGER_SUBSCRIPTION);
  }

  /** The oldest unread event of any of these subscriptions. */
  take(ids: ReadonlySet<SubscriptionId>): Event | undefined {
    return this.#closed ? undefined : this.takeUnread(ids);
  }

  /** The same, whether or not anybody is given anything. */
  takeUnread(ids: ReadonlySet<SubscriptionId>): Event | undefined {
    const at = this.#unread.findIndex(({ id }) => ids.has(id));
    if (at === -1) return undefined;
    const [unread] = this.#unread.splice(at, 1);
    return unread && this.#places.take(unread);
  }

  wait(waiter: Waiter): void {
    this.#waiters.add(waiter);
  }

  /** Code goes on with it: no subscription that is made from now on gets it. */
  read(event: Event): void {
    this.#window.pass(event);
  }

  /** Whether it has not gone on yet. From now on it gets nothing. */
  leave(waiter: Waiter): boolean {
    const event = this.turns.takeBackFrom(waiter);
    if (event !== undefined && !this.#giveToWaiter(event)) this.giveBack(event);
    return this.#waiters.delete(waiter) || event !== undefined;
  }

  /** The code has ended. What still waits would only fail, with nobody to catch it. */
  dismissWaiters(): void {
    if (this.turns.haveBegun) this.#waiters.clear();
    if (!this.turns.isForEveryone) return;
    // Nor is it given to code that nobody waits for any more.
    this.#closed = true;
    this.takeBack();
  }

  /** For the next run: continue-as-new was asked for before the waiter could go on with it. */
  giveBack(event: Event): void {
    const [placed] = this.#places.giveBack(event);
    if (placed) insert(this.#unread, placed, this.#places.of);
  }

  /** What was not handed over, nobody has read. */
  takeBack(): readonly Turn[] {
    const turns = this.turns.takeBack();
    for (const { event } of turns) this.giveBack(event);
    return turns;
  }

  /** The run has taken all that it can: who waits for more waits in vain. */
  suspend(): void {
    this.#suspended = true;
    this.#waiters.abandon('suspended', () => true);
  }

  /** The run before was suspended, and this one, which registers all that is held, is not. */
  resume(run: string): void {
    this.#suspended = false;
    this.#registering = true;
    for (const held of this.held) this.#held.set(held.id, { ...held, run });
  }

  /** The sources have heard of all that is held. */
  resumed(): void {
    this.#registering = false;
  }

  /** Continue-as-new was asked for: arrivals are kept for the next run, nobody is given any. */
  close(): void {
    this.#closed = true;
    for (const { reader } of this.takeBack()) if (this.turns.isForEveryone) this.wait(reader);
  }

  /** It could not continue as new, and the code may go on. */
  reopen(): void {
    if (!this.turns.isForEveryone) return;
    this.#closed = false;
    this.#unread = this.#unread.filter((one) => !this.#giveToWaiter(this.#places.take(one)));
  }

  toState(): InboxState {
    // Nobody would ever read what comes for the others.
    const isRegistered = ({ id }: HeldSubscription): boolean => !this.#unregistered.has(id);
    const held = this.held.filter(isRegistered);
    const place = new Map(held.map(({ id }, index) => [id, index]));
    const waiting = this.#with(this.turns.events);
    const events = [...new Set(waiting.map(({ event }) => event))];
    const eventPlace = new Map(events.map((event, index) => [event, index]));
    place.set(TRIGGER_SUBSCRIPTION, TRIGGER_INDEX);
    const placesOf = (ids: Iterable<SubscriptionId>): number[] =>
      [...ids].flatMap((id) => place.get(id) ?? []);
    return {
      // What is not registered again yet, the next run has to register.
      ...((this.#suspended || this.#registering) && { suspended: true as const }),
      ...NEWEST_TURNS,
      position: this.#position,
      held,
      releasing: [...this.releasing, ...this.held.filter((one) => !isRegistered(one)).map(toEnded)],
      events,
      unread: waiting.flatMap(({ event, id }) =>
        placesOf([id]).map((index) => [eventPlace.get(event) ?? 0, index] as const),
      ),
      window: this.#window.toState(placesOf),
    };
  }

  /** Takes over what the run before left. Call it before anything else. */
  restore(state: InboxState): void {
    const idAt = (index: number): SubscriptionId | readonly [] =>
      index === TRIGGER_INDEX ? TRIGGER_SUBSCRIPTION : (state.held[index]?.id ?? []);
    this.#suspended = state.suspended === true;
    this.turns.begin(state);
    this.#position = state.position;
    for (const held of state.held) this.#held.set(held.id, held);
    for (const ended of state.releasing) {
      this.#ended.add(ended.id);
      this.#releasing.set(ended.id, ended);
    }
    for (const [event, held] of state.unread) {
      const unread = state.events[event];
      for (const id of [idAt(held)].flat()) if (unread) this.#unread.push({ event: unread, id });
    }
    this.#carried = this.#unread.length;
    this.#window.restore(state.window, idAt);
    this.#places.noteCarried(this.#unread);
    this.shown.restore(this.held);
  }

  /** What is unread, and these, in the order in which they came. */
  #with(taken: readonly Event[]): Unread[] {
    if (taken.length === 0) return [...this.#unread];
    const added = taken.flatMap((event) => this.#places.giveBack(event));
    return merge(placeAll(this.#unread, this.#places.of), added);
  }

  #receive(event: Event, id: SubscriptionId): void {
    const held = this.#held.get(id);
    if (held === undefined && this.#ended.has(id)) return;
    const one = { event, id };
    const position = this.#window.find(keyOf(event))?.position ?? ++this.#position;
    if (held === undefined) this.#early.add({ one, position });
    else if (position > held.position && this.#admit({ one, position })) {
      if (!this.#giveToWaiter(this.#places.take(one))) this.#unread.push(one);
    }
  }

  /** Takes in what came early, but for what is past. */
  #insert(early: readonly Placed[]): void {
    const unread = placeAll(this.#unread, this.#places.of);
    const fresh = early.filter(({ one }) => !this.#window.find(keyOf(one.event))?.isPast);
    const admitted = fresh.filter((placed) => this.#admit(placed));
    this.#unread = merge(unread, admitted);
  }

  #admit({ one: { event, id }, position }: Placed): boolean {
    if (!this.#window.admit(event, id, position)) return false;
    this.#places.note(event, position);
    const held = this.#held.get(id);
    if (held) this.#held.set(id, { ...held, received: (held.received ?? 0) + 1 });
    return true;
  }

  #giveToWaiter(event: Event): boolean {
    const waiter = this.#closed ? undefined : this.#waiters.takeFor(event.subscription ?? '');
    if (waiter === undefined) return false;
    waiter.stop();
    this.turns.wake(waiter, event);
    return true;
  }
}
