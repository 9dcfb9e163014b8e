// A layer of what a source holds: subscriptions, and operations on those of older layers. What is
// in it, how much that is, and as what it counts.

import { utf8ToBytes } from '@noble/hashes/utils.js';

import { countAdded, versionOfOperation, type Layer, type Operation } from './operation.ts';
import { versionOf, type Subscription, type SubscriptionId } from './subscription.ts';

/** What a subscription takes beside its texts, in bytes of JSON. */
const SUBSCRIPTION_OVERHEAD_BYTES = 130;

/** What an operation takes beside its subscription, in bytes of JSON. */
const OPERATION_BYTES = 110;

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

export const EMPTY_TALLY: Tally = {
  subscriptions: 0,
  suspended: 0,
  unindexed: 0,
  operations: 0,
  bytes: 0,
};

/** No layer. */
export const EMPTY_LAYER: Layer = { subscriptions: [], operations: [] };

/** All that is in a layer of later versions, in no order. */
export function* itemsOf({ subscriptions, operations }: Layer, after = 0): Iterable<Item> {
  for (const subscription of subscriptions) {
    const { id } = subscription;
    const version = versionOf(subscription);
    if (version > after) yield { version, id, bytes: bytesOf(subscription), subscription };
  }
  for (const [id, on] of operations) {
    for (const operation of on) {
      const version = versionOfOperation(operation);
      if (version > after) yield { version, id, bytes: bytesOfOperation(operation), operation };
    }
  }
}

export function tallyLayer({ subscriptions, operations }: Layer): Tally {
  let tally = EMPTY_TALLY;
  for (const subscription of subscriptions) tally = addTally(tally, tallyOf(subscription));
  for (const [, on] of operations) tally = addTally(tally, tallyOfOperations(on));
  return tally;
}

export function addTally(one: Tally, other: Tally, by: 1 | -1 = 1): Tally {
  return {
    subscriptions: one.subscriptions + by * other.subscriptions,
    suspended: one.suspended + by * other.suspended,
    unindexed: one.unindexed + by * other.unindexed,
    operations: one.operations + by * other.operations,
    bytes: one.bytes + by * other.bytes,
  };
}

export function tallyOf(subscription: Subscription): Tally {
  return {
    subscriptions: 1,
    suspended: subscription.suspended ? 1 : 0,
    unindexed: subscription.unindexed ?? 0,
    operations: 0,
    bytes: bytesOf(subscription),
  };
}

/** A single registration is as good as a subscription: there is nothing to merge. */
export function tallyOfOperations(operations: readonly Operation[]): Tally {
  const [first] = operations;
  const subscriptions = countAdded(operations);
  const isRegistration = operations.length === 1 && first?.kind === 'register';
  return {
    subscriptions,
    suspended: operations.at(-1)?.kind === 'suspend' ? 1 : 0,
    unindexed: subscriptions > 0 ? Math.max(...operations.map(unindexedOf)) : 0,
    operations: isRegistration ? 0 : 1,
    bytes: operations.reduce((sum, operation) => sum + bytesOfOperation(operation), 0),
  };
}

function unindexedOf(operation: Operation): number {
  return 'subscription' in operation ? (operation.subscription.unindexed ?? 0) : 0;
}

/** Of the subscriptions that were counted before: each is counted wherever it moves, and never changes. */
const bytesCounted = new WeakMap<Subscription, number>();

function bytesOf(subscription: Subscription): number {
  let bytes = bytesCounted.get(subscription);
  if (bytes === undefined) {
    const { id, filter, workflowId, firstRunId } = subscription;
    const texts = JSON.stringify([id, filter, workflowId, firstRunId]);
    bytes = utf8ToBytes(texts).length + SUBSCRIPTION_OVERHEAD_BYTES;
    bytesCounted.set(subscription, bytes);
  }
  return bytes;
}

function bytesOfOperation(operation: Operation): number {
  const held = 'subscription' in operation ? bytesOf(operation.subscription) : 0;
  return held + OPERATION_BYTES;
}
