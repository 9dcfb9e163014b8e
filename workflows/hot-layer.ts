// What a source has in memory: subscriptions, and operations on those that are elsewhere, or may
// be. Both are in the order of their versions.

import { utf8ToBytes } from '@noble/hashes/utils.js';

import {
  countAdded,
  versionOfOperation,
  type Layer,
  type Operation,
  type Operations,
} from '../events/operation.ts';
import { versionOf, type Subscription, type SubscriptionId } from '../events/subscription.ts';

/** What a subscription takes beside its texts, in bytes of JSON. */
const SUBSCRIPTION_OVERHEAD_BYTES = 130;

/** What an operation takes beside its subscription, in bytes of JSON. */
const OPERATION_BYTES = 110;

/** A batch of others that is smaller than this part of what it may be takes all there is. */
const BATCH_SHARE_MIN = 0.25;

/** How much there is of something, and as what it counts. */
export interface Tally {
  readonly subscriptions: number;
  readonly suspended: number;
  readonly unindexed: number;
  readonly operations: number;
  readonly bytes: number;
}

/** A subscription or an operation, at its place in the order of versions. */
export interface Item {
  readonly version: number;
  readonly id: SubscriptionId;
  readonly bytes: number;
  readonly subscription?: Subscription;
  readonly operation?: Operation;
}

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

  /** Those that are known for sure. */
  get subscriptions(): Iterable<Subscription> {
    return this.#subscriptions.values();
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
    this.#tally = add(this.#tally, tallyOf(subscription), 1);
  }

  /** At the end, too. */
  operate(id: SubscriptionId, operations: readonly Operation[]): void {
    this.delete(id);
    this.#operations.set(id, operations);
    this.#tally = add(this.#tally, tallyOfOperations(operations), 1);
  }

  delete(id: SubscriptionId): void {
    const held = this.#subscriptions.get(id);
    const operations = this.#operations.get(id);
    if (held) this.#tally = add(this.#tally, tallyOf(held), -1);
    if (operations) this.#tally = add(this.#tally, tallyOfOperations(operations), -1);
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
        bytes += bytesOf(held);
      } else if (on.every((one) => !('subscription' in one) || isWanted(one.subscription))) {
        if (on.length > 0) operations.push([id, on]);
        bytes += on.reduce((sum, one) => sum + bytesOfOperation(one), 0);
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

/** All that is in a layer, in no order. */
export function* itemsOf({ subscriptions, operations }: Layer): Iterable<Item> {
  for (const subscription of subscriptions) {
    const { id } = subscription;
    yield { version: versionOf(subscription), id, bytes: bytesOf(subscription), subscription };
  }
  for (const [id, on] of operations) {
    for (const operation of on) {
      const bytes = bytesOfOperation(operation);
      yield { version: versionOfOperation(operation), id, bytes, operation };
    }
  }
}

export function tallyLayer({ subscriptions, operations }: Layer): Tally {
  let tally = EMPTY_TALLY;
  for (const subscription of subscriptions) tally = add(tally, tallyOf(subscription), 1);
  for (const [, on] of operations) tally = add(tally, tallyOfOperations(on), 1);
  return tally;
}

export function addTallies(one: Tally, other: Tally): Tally {
  return add(one, other, 1);
}

export const EMPTY_TALLY: Tally = {
  subscriptions: 0,
  suspended: 0,
  unindexed: 0,
  operations: 0,
  bytes: 0,
};

function add(one: Tally, other: Tally, by: 1 | -1): Tally {
  return {
    subscriptions: one.subscriptions + by * other.subscriptions,
    suspended: one.suspended + by * other.suspended,
    unindexed: one.unindexed + by * other.unindexed,
    operations: one.operations + by * other.operations,
    bytes: one.bytes + by * other.bytes,
  };
}

function tallyOf(subscription: Subscription): Tally {
  return {
    subscriptions: 1,
    suspended: subscription.suspended ? 1 : 0,
    unindexed: subscription.unindexed ? 1 : 0,
    operations: 0,
    bytes: bytesOf(subscription),
  };
}

/** A single registration is as good as a subscription: there is nothing to merge. */
function tallyOfOperations(operations: readonly Operation[]): Tally {
  const [first] = operations;
  const subscriptions = countAdded(operations);
  const isRegistration = operations.length === 1 && first?.kind === 'register';
  return {
    subscriptions,
    suspended: operations.at(-1)?.kind === 'suspend' ? 1 : 0,
    unindexed: subscriptions > 0 && operations.some(isUnindexed) ? 1 : 0,
    operations: isRegistration ? 0 : 1,
    bytes: operations.reduce((sum, operation) => sum + bytesOfOperation(operation), 0),
  };
}

function isUnindexed(operation: Operation): boolean {
  return 'subscription' in operation && operation.subscription.unindexed === true;
}

function lastOf(operations: readonly Operation[]): number {
  const last = operations.at(-1);
  return last === undefined ? 0 : versionOfOperation(last);
}

function bytesOf({ id, filter, workflowId, firstRunId }: Subscription): number {
  const texts = JSON.stringify([id, filter, workflowId, firstRunId]);
  return utf8ToBytes(texts).length + SUBSCRIPTION_OVERHEAD_BYTES;
}

function bytesOfOperation(operation: Operation): number {
  const held = 'subscription' in operation ? bytesOf(operation.subscription) : 0;
  return held + OPERATION_BYTES;
}
