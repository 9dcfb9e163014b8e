// What a source does to subscriptions that it does not have in memory: whether there is such a
// subscription, and since when, is known to who has what came before. Sources, their readers and
// merges all apply operations by the same function. They are in histories: add to them, never
// change.

import { versionOf, type Subscription, type SubscriptionId } from './subscription.ts';

export type Operation =
  /** There is one from now on, if there was none. */
  | { readonly kind: 'register'; readonly subscription: Subscription }
  /** There is one; if there was one, it keeps its place in the source's order. */
  | { readonly kind: 'again'; readonly subscription: Subscription }
  | {
      readonly kind: 'unregister';
      readonly version: number;
      /** Only what has not changed after this version. */
      readonly upTo?: number;
      /** It was registered by an operation that this one has replaced: there may be none. */
      readonly isFresh?: true;
    }
  | {
      readonly kind: 'suspend';
      readonly version: number;
      /** How many events it did not get. */
      readonly undeliverable: number;
      /** Only what this run registered. */
      readonly run?: string;
      /** Only what has not changed after this version. */
      readonly upTo?: number;
    };

/** The operations on one subscription, oldest first. */
export type Operations = readonly [id: SubscriptionId, operations: readonly Operation[]];

/** Subscriptions, and operations on those of older layers: an id is in one of both. */
export interface Layer {
  readonly subscriptions: readonly Subscription[];
  readonly operations: readonly Operations[];
}

/** The version of the source that an operation is. */
export function versionOfOperation(operation: Operation): number {
  return 'version' in operation ? operation.version : versionOf(operation.subscription);
}

/** The subscription after the operation, or `held` itself if that changes nothing. */
export function applyOperation(
  held: Subscription | undefined,
  operation: Operation,
): Subscription | undefined {
  const { kind } = operation;
  if (kind === 'register') return held ?? operation.subscription;
  if (kind === 'again') {
    return held === undefined ? operation.subscription : renew(held, operation.subscription);
  }
  if (kind === 'suspend') return held && suspend(held, operation);
  return held && versionOf(held) > (operation.upTo ?? Infinity) ? held : undefined;
}

/**
 * The operations with one more. What is sure to come to the same is left out; it gives
 * `operations` itself if the new one is sure to change nothing.
 */
export function addOperation(
  operations: readonly Operation[],
  operation: Operation,
): readonly Operation[] {
  const last = operations.at(-1);
  const isRemoved = last?.kind === 'unregister' && last.upTo === undefined;
  const { kind } = operation;
  if (kind === 'again' && last?.kind === 'again') {
    const subscription = renew(last.subscription, operation.subscription);
    return [...operations.slice(0, -1), { ...operation, subscription }];
  }
  if (kind === 'register' && !isRemoved && operations.some((one) => one.kind !== 'suspend')) {
    return operations;
  }
  if (isRemoved && (kind === 'unregister' || kind === 'suspend')) return operations;
  if (kind === 'unregister' && operation.upTo === undefined) {
    return [{ ...operation, ...(isFresh(operations) && { isFresh: true }) }];
  }
  return [...operations, operation];
}

/** How many subscriptions there are more, or less, after the operations: as far as one can say. */
export function countAdded(operations: readonly Operation[]): number {
  const before = isFresh(operations) ? 0 : 1;
  const last = operations.findLast(({ kind }) => kind !== 'suspend');
  const isRemoved = last?.kind === 'unregister' && last.upTo === undefined;
  return (isRemoved ? 0 : 1) - before;
}

/** Whether there was none before, as far as one can say: ids are not used again. */
function isFresh([first]: readonly Operation[]): boolean {
  return first?.kind === 'register' || (first?.kind === 'unregister' && first.isFresh === true);
}

function renew(held: Subscription, subscription: Subscription): Subscription {
  const { id, filter, workflowId, firstRunId, unindexed } = subscription;
  const { seq, since, undeliverable } = held;
  const run = subscription.run ?? held.run;
  const resumed = held.suspended ? subscription.seq : held.resumed;
  return {
    id,
    filter,
    workflowId,
    firstRunId,
    ...(run !== undefined && { run }),
    ...(unindexed && { unindexed }),
    seq,
    ...(since !== undefined && { since }),
    ...(resumed !== undefined && { resumed }),
    ...(undeliverable !== undefined && { undeliverable }),
    changed: versionOf(subscription),
  };
}

function suspend(
  held: Subscription,
  { version, undeliverable, run, upTo = Infinity }: Operation & { readonly kind: 'suspend' },
): Subscription {
  const isMeant = versionOf(held) <= upTo && (run === undefined || held.run === run);
  if (!isMeant && !held.suspended) return held;
  const missed = (held.undeliverable ?? 0) + undeliverable;
  return {
    ...held,
    suspended: true,
    ...(missed > 0 && { undeliverable: missed }),
    changed: version,
  };
}
