// Which deliveries have to be stored in workflows of their own, and which of these workflows have
// to be told that theirs has ended. Pure: batches come out, and what was done with them goes in.

import { utf8ToBytes } from '@noble/hashes/utils.js';

import type { Delivery } from '../events/listener.ts';
import type { Event } from '../events/event.ts';

/** How many deliveries are stored, or ended, by one activity. */
export const BATCH_SIZE_MAX = 100;

/** ... or so many bytes of events, or one event: an activity takes 2 MiB. */
export const BATCH_BYTES_MAX = 1024 * 1024;

/** What a delivery workflow is started with. */
export interface DeliveryToStore {
  readonly delivery: Delivery;
  readonly event: Event;
}

interface Unstored extends DeliveryToStore {
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
    this.#unstored.set(delivery.number, { delivery, event, isOnItsWay: false });
  }

  /** A delivery that is stored, or is to be, has ended. */
  end(delivery: Delivery): void {
    const unstored = this.#unstored.get(delivery.number);
    if (unstored === undefined) this.#ends.push(delivery);
    else if (unstored.isOnItsWay)
      this.#unstored.set(delivery.number, { ...unstored, end: delivery });
    else this.#unstored.set(delivery.number, { ...unstored, delivery });
  }

  /** The next ones to store, oldest first: from now on they are on their way. */
  toStore(): readonly DeliveryToStore[] {
    const batch: DeliveryToStore[] = [];
    let bytes = 0;
    for (const [number, unstored] of this.#unstored) {
      if (unstored.isOnItsWay) continue;
      const { delivery, event } = unstored;
      bytes += sizeOf(event);
      if (batch.length > 0 && bytes > BATCH_BYTES_MAX) break;
      batch.push({ delivery, event });
      this.#unstored.set(number, { ...unstored, isOnItsWay: true });
      if (batch.length === BATCH_SIZE_MAX) break;
    }
    return batch;
  }

  stored(number: number): void {
    const end = this.#unstored.get(number)?.end;
    this.#unstored.delete(number);
    if (end) this.#ends.push(end);
  }

  /** The next ones whose workflows are told: from now on they are on their way. */
  toEnd(): readonly Delivery[] {
    const batch = this.#ends.splice(0, BATCH_SIZE_MAX);
    this.#ending += batch.length;
    return batch;
  }

  ended(count: number): void {
    this.#ending -= count;
  }
}

/** How much an event takes where it is written down, in bytes. */
export function sizeOf(event: Event): number {
  return utf8ToBytes(JSON.stringify(event)).length;
}
