// The deliveries of a listener that are pending, and which of them may be attempted. Pure.

import type { Event } from '../events/event.ts';
import type { Delivery } from '../events/listener.ts';
import { sizeOf } from './listener-budget.ts';
import { toPace } from './listener-schedule.ts';

/** How many may be pending: more would not fit into what a run leaves to the next. */
export const PENDING_MAX = 10_000;

/** ... or so many bytes of them. */
export const PENDING_BYTES_MAX = 1.25 * 1024 * 1024;

/** What of a pending delivery takes the same for all, in bytes. */
const RECORD_BYTES_MIN = 80;

/** What each attempt takes: the number of its run. */
const ATTEMPT_BYTES = 5;

export interface Pending {
  readonly delivery: Delivery;
  /** When it may be attempted, in milliseconds since 1970. */
  readonly dueAt: number;
  /** As long as it is not stored. */
  readonly event?: Event | undefined;
  /**
   * - `waiting`: it is attempted when it is due
   * - `attempting`: an attempt is on its way
   * - `storing`: it waits until it is stored
   */
  readonly phase: 'waiting' | 'attempting' | 'storing';
}

/** With how much it takes, in bytes. */
export interface Held extends Pending {
  readonly eventBytes: number;
  readonly recordBytes: number;
}

export class PendingDeliveries {
  readonly #countsAttempts: () => boolean;
  readonly #held = new Map<number, Held>();
  #attempting = 0;
  #attempts = 0;
  #waitingBytes = 0;
  #recordBytes = 0;

  /** @param countsAttempts - asked where it matters; in the histories of older code they do not count */
  constructor(countsAttempts: () => boolean) {
    this.#countsAttempts = countsAttempts;
  }

  get size(): number {
    return this.#held.size;
  }

  get attempting(): number {
    return this.#attempting;
  }

  /** Of the events in memory that wait, in bytes of JSON. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get isFull(): boolean {
    if (this.#held.size >= PENDING_MAX || this.#recordBytes >= PENDING_BYTES_MAX) return true;
    const bytes = this.#recordBytes + ATTEMPT_BYTES * this.#attempts;
    return bytes >= PENDING_BYTES_MAX && this.#countsAttempts();
  }

  get all(): readonly Pending[] {
    return [...this.#held.values()];
  }

  get(number: number): Pending | undefined {
    return this.#held.get(number);
  }

  /** Adds it, or takes the place of what it was. */
  set(pending: Pending): void {
    const { delivery, event } = pending;
    const before = this.#held.get(delivery.number);
    const eventBytes = event && (before?.event === event ? before.eventBytes : sizeOf(event));
    const recordBytes = RECORD_BYTES_MIN + bytesOf(delivery);
    if (before) this.#count(before, -1);
    const held = { ...pending, eventBytes: eventBytes ?? 0, recordBytes };
    this.#held.set(delivery.number, held);
    this.#count(held, 1);
  }

  delete(number: number): void {
    const held = this.#held.get(number);
    if (held === undefined) return;
    this.#held.delete(number);
    this.#count(held, -1);
  }

  /** Those that may be attempted now, in the order in which they have to be. */
  due(now: number, ordered: boolean): readonly Held[] {
    const due = this.#waiting(ordered).filter(({ dueAt }) => dueAt <= now);
    return due.toSorted(
      (one, other) => one.dueAt - other.dueAt || one.delivery.number - other.delivery.number,
    );
  }

  /** When the next of those that wait is due. */
  nextDueAt(ordered: boolean): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { dueAt } of this.#waiting(ordered)) next = Math.min(next, dueAt);
    return next;
  }

  /** Of a listener that keeps the order, only the first of all, whatever it waits for. */
  #waiting(ordered: boolean): readonly Held[] {
    const first = Math.min(...(ordered ? this.#held.keys() : []));
    const candidates = ordered ? [this.#held.get(first)] : [...this.#held.values()];
    return candidates
      .filter((held) => held !== undefined)
      .filter(({ phase }) => phase === 'waiting');
  }

  #count({ delivery, phase, eventBytes, recordBytes }: Held, sign: 1 | -1): void {
    this.#recordBytes += sign * recordBytes;
    this.#attempts += sign * delivery.attempts.length;
    if (phase === 'attempting') this.#attempting += sign;
    else this.#waitingBytes += sign * eventBytes;
  }
}

function bytesOf({ eventId, type, message }: Delivery): number {
  return sizeOf([eventId, type, message]);
}

/** Keeps attempts from beginning too fast. */
export class Pacer {
  /** When the next ones may begin, in milliseconds since 1970. */
  nextAt: number;
  #turnAt = Number.NEGATIVE_INFINITY;
  #left = 0;

  constructor(nextAt = 0) {
    this.nextAt = nextAt;
  }

  /** Whether an attempt may begin now; if so, it has. */
  take(now: number, ratePerSecond: number | undefined): boolean {
    if (ratePerSecond === undefined) return true;
    if (now >= this.nextAt) {
      const { together, everyMs } = toPace(ratePerSecond);
      this.#turnAt = now;
      this.#left = together;
      this.nextAt = now + everyMs;
    }
    if (now !== this.#turnAt || this.#left === 0) return false;
    this.#left -= 1;
    return true;
  }
}
