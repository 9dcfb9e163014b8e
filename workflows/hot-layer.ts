// What a source has in memory: subscriptions, and operations on those that are elsewhere, or may
// be. Both are in the order of their versions.

import { addTally, EMPTY_TALLY, tallyLayer, tallyOf, tallyOfOperations } from '../events/layer.ts';
import type { Tally } from '../events/layer.ts';
import {
  applyOperation,
  versionOfOperation,
  type Layer,
  type Operation,
  type Operations,
} from '../events/operation.ts';
import { versionOf, type Subscription, type SubscriptionId } from '../events/subscription.ts';

/** A batch of others that is smaller than this part of what it may be takes all there is. */
const BATCH_SHARE_MIN = 0.25;

export class HotLayer {
  readonly #subscriptions = new Map<SubscriptionId, Subscription>();
  readonly #operations = new Map<SubscriptionId, readonly Operation[]>();
  #tally = EMPTY_TALLY;

  get tally(): Tally {
    return this.#tally;
  }

  get isEmpty(): boolean {
    return this.#subscriptions.size + this.#operations.size === 0;
  }

  /** So many of the oldest that are surely there. */
  oldestOf(count: number): readonly Subscription[] {
    const found: Subscription[] = [];
    for (const id of this.#idsInOrder()) {
      if (found.length >= count) break;
      const held = this.#subscriptions.get(id) ?? this.#registeredOn(id);
      if (held) found.push(held);
    }
    return found;
  }

  /** What the operations on it make of it, if there was none. */
  #registeredOn(id: SubscriptionId): Subscription | undefined {
    const operations = this.operationsOn(id);
    if (operations[0]?.kind !== 'register') return undefined;
    return operations.reduce<Subscription | undefined>(applyOperation, undefined);
  }

  get(id: SubscriptionId): Subscription | undefined {
    return this.#subscriptions.get(id);
  }

  /** The version from which on it is as it is; 0 if it is not here. */
  versionOf(id: SubscriptionId): number {
    const held = this.#subscriptions.get(id);
    return held === undefined ? 0 : versionOf(held);
  }

  operationsOn(id: SubscriptionId): readonly Operation[] {
    return this.#operations.get(id) ?? [];
  }

  /** At the end: it has the newest version. */
  put(subscription: Subscription): void {
    this.delete(subscription.id);
    this.#subscriptions.set(subscription.id, subscription);
    this.#tally = addTally(this.#tally, tallyOf(subscription));
  }

  /** At the end, too. */
  operate(id: SubscriptionId, operations: readonly Operation[]): void {
    this.delete(id);
    this.#operations.set(id, operations);
    this.#tally = addTally(this.#tally, tallyOfOperations(operations));
  }

  delete(id: SubscriptionId): void {
    const held = this.#subscriptions.get(id);
    const operations = this.#operations.get(id);
    if (held) this.#tally = addTally(this.#tally, tallyOf(held), -1);
    if (operations) this.#tally = addTally(this.#tally, tallyOfOperations(operations), -1);
    this.#subscriptions.delete(id);
    this.#operations.delete(id);
  }

  add({ subscriptions, operations }: Layer): void {
    for (const subscription of subscriptions) this.put(subscription);
    for (const [id, on] of operations) this.operate(id, on);
  }

  toLayer(): Layer {
    return { subscriptions: [...this.#subscriptions.values()], operations: [...this.#operations] };
  }

  /**
   * The oldest, about so many bytes of them. Those that no index serves stay for as long as there
   * are enough others: how many they are is known for sure while they are here.
   */
  oldest(bytesMax: number): Layer {
    const indexed = this.#oldest(bytesMax, ({ unindexed }) => !unindexed);
    const { bytes } = tallyLayer(indexed);
    return bytes < BATCH_SHARE_MIN * bytesMax ? this.#oldest(bytesMax, () => true) : indexed;
  }

  #oldest(bytesMax: number, isWanted: (subscription: Subscription) => boolean): Layer {
    const subscriptions: Subscription[] = [];
    const operations: Operations[] = [];
    let bytes = 0;
    for (const id of this.#idsInOrder()) {
      if (bytes >= bytesMax) break;
      const held = this.#subscriptions.get(id);
      const on = this.operationsOn(id);
      if (held && isWanted(held)) {
        subscriptions.push(held);
        bytes += tallyOf(held).bytes;
      } else if (on.every((one) => !('subscription' in one) || isWanted(one.subscription))) {
        if (on.length > 0) operations.push([id, on]);
        bytes += tallyOfOperations(on).bytes;
      }
    }
    return { subscriptions, operations };
  }

  /** Each of the two is in order: so the older of their next ones comes next. */
  *#idsInOrder(): Iterable<SubscriptionId> {
    const operations = this.#operations.entries();
    let next = operations.next();
    for (const subscription of this.#subscriptions.values()) {
      while (next.done !== true && lastOf(next.value[1]) < versionOf(subscription)) {
        yield next.value[0];
        next = operations.next();
      }
      yield subscription.id;
    }
    for (; next.done !== true; next = operations.next()) yield next.value[0];
  }
}

function lastOf(operations: readonly Operation[]): number {
  const last = operations.at(-1);
  return last === undefined ? 0 : versionOfOperation(last);
}
