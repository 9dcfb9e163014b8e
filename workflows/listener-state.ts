// What a listener knows, and what is to be done next. Pure: events, results and times go in;
// attempts to begin, deliveries to store and deliveries to end come out.
//
// An event becomes a delivery when it is read. As long as it has not failed and little waits, it is
// in memory only. Then it is stored, in a workflow of its own, which is told its end: so what is
// in memory is small, and every delivery that did not succeed at once can be seen for long.

import type { Event } from '../events/event.ts';
import type { Delivery, ListenerDefinition, ListenerStatus } from '../events/listener.ts';
import { sizeOf, TaskBudget } from './listener-budget.ts';
import {
  newDelivery,
  toBeginning,
  type Attempted,
  type Beginning,
  type EventKey,
  type Moment,
} from './listener-delivery.ts';
import type { ListenerMemo, ListenerView } from './listener-messages.ts';
import { attemptId, packAll, toTime, unpackAll } from './listener-packing.ts';
import { NEWEST, type ListenerPatches } from './listener-patches.ts';
import { Pacer, PendingDeliveries, type Pending } from './listener-pending.ts';
import { NOTHING, type CarriedListener } from './listener-records.ts';
import { toRetryMs } from './listener-schedule.ts';
import { toShown } from './listener-shown.ts';
import {
  GONE,
  isDelivering,
  REMOVED,
  toActive,
  toInactive,
  TOO_MANY_FAILURES,
  TOO_MANY_PENDING,
  toRetired,
} from './listener-status.ts';
import { DeliveryStore } from './listener-store.ts';

/** How many deliveries that are not pending any more a listener knows itself. */
export const RESOLVED_MAX = 100;

/** How much of the events that wait is in memory, in bytes of JSON. */
export const WAITING_BYTES_MAX = 256 * 1024;

/** More than one run has deliveries: a run that was reset leaves out so many numbers at least. */
const NUMBERS_SKIPPED = 10_000;

const MESSAGE_LENGTH_MAX = 300;

export class Listener {
  readonly store = new DeliveryStore();
  readonly #patches: ListenerPatches;
  readonly #pending: PendingDeliveries;
  readonly #pacer: Pacer;
  #memo: ListenerMemo;
  #resolved: readonly Delivery[];
  #lastNumber: number;
  #failuresInRow: number;
  #troubles: number;

  /** `state`: what the run before has left. */
  constructor(
    memo: ListenerMemo,
    state: CarriedListener = NOTHING,
    patches: ListenerPatches = NEWEST,
  ) {
    this.#memo = memo;
    this.#patches = patches;
    this.#pending = new PendingDeliveries(patches.countsAttempts);
    this.#lastNumber = state.lastNumber;
    this.#failuresInRow = state.failuresInRow;
    this.#troubles = state.troubles;
    this.#pacer = new Pacer(state.nextStartAt);
    const { pending, resolved } = unpackAll(state);
    for (const one of pending) this.#pending.set(one);
    this.#resolved = resolved;
  }

  /** Another object whenever anything in it has changed. */
  get memo(): ListenerMemo {
    return this.#memo;
  }

  get definition(): ListenerDefinition {
    return this.#memo.definition;
  }

  get status(): ListenerStatus {
    return this.#memo.status;
  }

  get figures(): Pick<ListenerView, 'deliveries' | 'pending' | 'failuresInRow'> {
    return {
      deliveries: this.#lastNumber,
      pending: this.#pending.size,
      failuresInRow: this.#failuresInRow,
    };
  }

  /** The newest of what is pending, and of what is not, oldest first. */
  get deliveries(): readonly Delivery[] {
    return toShown(this.#pending.all, this.#resolved);
  }

  /** Nothing is on its way, and nothing has to be before the run ends. */
  get isIdle(): boolean {
    return this.#pending.attempting === 0 && this.store.isIdle;
  }

  find(number: number): Delivery | undefined {
    const resolved = this.#resolved.find((delivery) => delivery.number === number);
    return resolved ?? this.#pending.get(number)?.delivery;
  }

  /** An event was read. */
  receive(read: Event, now: number): void {
    if (this.status === 'removed') return;
    const { subscription: _, ...event } = read;
    const { id: eventId, source, type } = event;
    const delivery = newDelivery(this.reserve(), { eventId, source, type }, now);
    const pending = { delivery, dueAt: now, event, phase: 'waiting' } as const;
    if (this.status === 'inactive' && !this.#takesLate()) {
      this.#resolve(pending, 'skipped', now);
      return;
    }
    this.#wait(pending);
    if (this.#pending.waitingBytes > WAITING_BYTES_MAX) this.#store(pending);
  }

  /** The number of a delivery that is there once its event is stored again. */
  reserve(): number {
    this.#lastNumber += 1;
    return this.#lastNumber;
  }

  /** The event of a delivery is stored again, under a number that was reserved. */
  redeliver(key: EventKey & Pick<Delivery, 'number' | 'redeliveryOf'>, now: number): void {
    const { number, redeliveryOf, ...event } = key;
    const delivery = { ...newDelivery(number, event, now), redeliveryOf: redeliveryOf ?? number };
    const pending = { delivery, dueAt: now, phase: 'waiting' } as const;
    if (this.status === 'removed') this.#fail(pending, REMOVED, now);
    else this.#wait(pending);
  }

  /** Attempts that begin now. */
  begin(now: number, budget = new TaskBudget()): readonly Beginning[] {
    if (this.#isBusy()) return [];
    const { ordered, ratePerSecond } = this.definition;
    const definitionBytes = sizeOf(this.definition);
    const beginning: Beginning[] = [];
    for (const pending of this.#pending.due(now, ordered)) {
      const bytes = definitionBytes + pending.eventBytes;
      if (this.#isBusy() || !budget.fits(bytes)) break;
      if (!this.#pacer.take(now, ratePerSecond)) break;
      budget.spend(bytes);
      this.#pending.set({ ...pending, phase: 'attempting' });
      beginning.push(toBeginning(pending));
    }
    return beginning;
  }

  /** When an attempt may begin that may not yet; none if time alone allows none. */
  wakeAt(): number | undefined {
    if (this.#isBusy()) return undefined;
    const { ordered, ratePerSecond } = this.definition;
    const dueAt = this.#pending.nextDueAt(ordered);
    if (dueAt === Number.POSITIVE_INFINITY) return undefined;
    return ratePerSecond === undefined ? dueAt : Math.max(dueAt, this.#pacer.nextAt);
  }

  /** An attempt is over. */
  attempted({ number, runId, ...result }: Attempted, { now, chance }: Moment): void {
    const before = this.#pending.get(number);
    if (before?.phase !== 'attempting') return;
    const { attempts } = before.delivery;
    const activityId = attemptId(number, attempts.length + 1);
    const message = result.message.slice(0, MESSAGE_LENGTH_MAX);
    const delivery = {
      ...before.delivery,
      message,
      attempts: [...attempts, { runId, activityId }],
    };
    const pending = { ...before, delivery };
    const delayMs = this.definition.retryMs[attempts.length];
    if (result.isSuccessful) {
      this.#failuresInRow = 0;
      this.#troubles = 0;
      this.#resolve(pending, 'successful', now);
      return;
    }
    this.#troubles += 1;
    if (this.status === 'removed') {
      this.#fail(pending, REMOVED, now);
    } else if (delayMs === undefined || result.isGone || result.isFinal) {
      this.#fail(pending, message, now);
      this.#failuresInRow += 1;
      if (result.isGone) this.deactivate(GONE);
      if (this.#failuresInRow >= this.definition.failuresMax) this.deactivate(TOO_MANY_FAILURES);
    } else {
      const dueAt = now + toRetryMs({ delayMs, retryAfterMs: result.retryAfterMs, chance });
      const nextAttemptAt = toTime(dueAt);
      const waiting = { ...pending, delivery: { ...delivery, nextAttemptAt }, dueAt };
      this.#wait({ ...waiting, phase: 'waiting' });
      if (pending.event) this.#store({ ...waiting, event: pending.event });
    }
  }

  /** These are in workflows of their own. */
  stored(numbers: readonly number[]): void {
    for (const number of numbers) {
      this.store.stored(number);
      const pending = this.#pending.get(number);
      if (pending) this.#pending.set({ ...pending, event: undefined, phase: 'waiting' });
    }
  }

  isDefinedAs(definition: ListenerDefinition): boolean {
    return JSON.stringify(definition) === JSON.stringify(this.definition);
  }

  /** Whether it is another one. It takes effect with the next attempt. */
  change(definition: ListenerDefinition): boolean {
    if (this.isDefinedAs(definition)) return false;
    this.#memo = { ...this.#memo, definition };
    return true;
  }

  /** Whether it was inactive. No failure from before counts any more. */
  activate(): boolean {
    if (this.status !== 'inactive') return false;
    this.#memo = toActive(this.#memo);
    this.#failuresInRow = 0;
    this.#troubles = 0;
    return true;
  }

  /** Whether it was delivering. */
  deactivate(statusMessage: string): boolean {
    if (this.status !== 'active' && !this.#takesLate()) return false;
    this.#memo = toInactive(this.#memo, statusMessage);
    return true;
  }

  /** Whether it had not before. */
  retire(statusMessage: string): boolean {
    if (this.status === 'removed' || this.#memo.isRetired) return false;
    this.#memo = toRetired(this.#memo, statusMessage, this.#patches.staysSuspended);
    return true;
  }

  /** What is pending fails; what is on its way fails unless it succeeds. */
  remove(now: number): boolean {
    if (this.status === 'removed') return false;
    this.#memo = { ...this.#memo, status: 'removed', statusMessage: REMOVED };
    for (const pending of this.#pending.all) {
      if (pending.phase !== 'attempting') this.#fail(pending, REMOVED, now);
    }
    return true;
  }

  /**
   * The run was reset: what it numbered after the moment to which it was is on record under these
   * numbers. Another reset may be further back, so no number is given that may have been given since
   * the listener was created: in a millisecond comes less than one delivery.
   */
  skipNumbers(now: number): void {
    const ageMs = this.#patches.numbersByTime() ? now - Date.parse(this.#memo.createdAt) : 0;
    this.#lastNumber = Math.max(this.#lastNumber + NUMBERS_SKIPPED, ageMs);
  }

  toState(): CarriedListener {
    return {
      lastNumber: this.#lastNumber,
      failuresInRow: this.#failuresInRow,
      troubles: this.#troubles,
      nextStartAt: this.#pacer.nextAt,
      ...packAll(this.#pending.all, this.#resolved),
    };
  }

  /** Whether what came before it retired is delivered. */
  #takesLate(): boolean {
    return isDelivering(this.#memo) && this.#patches.staysSuspended();
  }

  /** A receiver that does not take what comes is not tried by many at once. */
  #isBusy(): boolean {
    if (!isDelivering(this.#memo)) return true;
    const { ordered, concurrency } = this.definition;
    const isAlone = ordered || this.#troubles >= concurrency;
    return this.#pending.attempting >= (isAlone ? 1 : concurrency);
  }

  #wait(pending: Pending): void {
    this.#pending.set(pending);
    if (this.#pending.isFull) this.deactivate(TOO_MANY_PENDING);
  }

  #store(pending: Pending & { readonly event: Event }): void {
    this.#pending.set({ ...pending, phase: 'storing' });
    this.store.add(pending.delivery, pending.event);
  }

  #fail(pending: Pending, message: string, now: number): void {
    this.#resolve({ ...pending, delivery: { ...pending.delivery, message } }, 'failed', now);
  }

  #resolve({ delivery, event }: Pending, status: Resolved, now: number): void {
    const { nextAttemptAt: _, ...rest } = delivery;
    const resolved = { ...rest, status, resolvedAt: toTime(now) };
    const { number } = delivery;
    this.#pending.delete(number);
    this.#resolved = [...this.#resolved, resolved].slice(-RESOLVED_MAX);
    if (event === undefined || this.store.has(number)) this.store.end(resolved);
    // What succeeds at once is on record in the history of the run, and nowhere else.
    else if (status !== 'successful') this.store.add(resolved, event);
  }
}

type Resolved = Exclude<Delivery['status'], 'pending'>;
