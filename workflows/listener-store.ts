// Which deliveries have to be stored in workflows of their own, and which of these workflows have
// to be told that theirs has ended. Pure: batches come out, and what was done with them goes in.

import type { Delivery } from '../events/listener.ts';
import type { Event } from '../events/event.ts';
import { sizeOf, TaskBudget } from './listener-budget.ts';

/** How many deliveries are stored, or ended, by one activity. */
export const BATCH_SIZE_MAX = 100;

/** ... or so many bytes of events, or one event: an activity takes 2 MiB. */
export const BATCH_BYTES_MAX = 1024 * 1024;

/** What names a delivery and its event in a batch, in bytes. */
const RECORD_FRAME_BYTES = '{"delivery":,"event":},'.length;

/** What a delivery workflow is started with. */
export interface DeliveryToStore {
  readonly delivery: Delivery;
  readonly event: Event;
}

interface Unstored extends DeliveryToStore {
  readonly eventBytes: number;
  readonly isOnItsWay: boolean;
  /** What has become of it since. */
  readonly end?: Delivery;
}

export class DeliveryStore {
  readonly #unstored = new Map<number, Unstored>();
  #ends: Delivery[] = [];
  #ending = 0;

  /** Everything is stored, and everybody is told. */
  get isIdle(): boolean {
    return this.#unstored.size === 0 && this.#ends.length === 0 && this.#ending === 0;
  }

  /** Not stored yet, but to be. */
  has(number: number): boolean {
    return this.#unstored.has(number);
  }

  add(delivery: Delivery, event: Event): void {
    const unstored = { delivery, event, eventBytes: sizeOf(event), isOnItsWay: false };
    this.#unstored.set(delivery.number, unstored);
  }

  /** A delivery that is stored, or is to be, has ended. */
  end(delivery: Delivery): void {
    const unstored = this.#unstored.get(delivery.number);
    if (unstored === undefined) this.#ends.push(delivery);
    else if (unstored.isOnItsWay)
      this.#unstored.set(delivery.number, { ...unstored, end: delivery });
    else this.#unstored.set(delivery.number, { ...unstored, delivery });
  }

  /** The next ones to store, oldest first: from now on they are on their way. None if they do not fit. */
  toStore(budget = new TaskBudget()): readonly DeliveryToStore[] {
    const { batch, bytes } = this.#nextBatch();
    if (batch.length === 0 || !budget.fits(bytes)) return [];
    budget.spend(bytes);
    return batch.map((unstored) => {
      const { delivery, event } = unstored;
      this.#unstored.set(delivery.number, { ...unstored, isOnItsWay: true });
      return { delivery, event };
    });
  }

  stored(number: number): void {
    const end = this.#unstored.get(number)?.end;
    this.#unstored.delete(number);
    if (end) this.#ends.push(end);
  }

  /** The next ones whose workflows are told: from now on they are on their way. */
  toEnd(budget = new TaskBudget()): readonly Delivery[] {
    const batch = this.#ends.slice(0, BATCH_SIZE_MAX);
    const bytes = sizeOf(batch);
    if (batch.length === 0 || !budget.fits(bytes)) return [];
    budget.spend(bytes);
    this.#ends = this.#ends.slice(batch.length);
    this.#ending += batch.length;
    return batch;
  }

  ended(count: number): void {
    this.#ending -= count;
  }

  /** With the bytes of their events and records. */
  #nextBatch(): { readonly batch: readonly Unstored[]; readonly bytes: number } {
    const batch: Unstored[] = [];
    let eventBytes = 0;
    let recordBytes = 0;
    for (const unstored of this.#unstored.values()) {
      if (unstored.isOnItsWay) continue;
      const isTooMuch = eventBytes + unstored.eventBytes > BATCH_BYTES_MAX;
      if (batch.length === BATCH_SIZE_MAX || (batch.length > 0 && isTooMuch)) break;
      eventBytes += unstored.eventBytes;
      recordBytes += RECORD_FRAME_BYTES + sizeOf(unstored.delivery);
      batch.push(unstored);
    }
    return { batch, bytes: eventBytes + recordBytes };
  }
}
