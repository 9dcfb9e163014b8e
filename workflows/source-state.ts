// The state of a source workflow: a plain record that crosses continue-as-new, and the
// pure steps that change it. Every step that adds, changes or removes a subscription is a
// version.

import { addOperation, applyOperation, versionOfOperation } from '../events/operation.ts';
import type { Layer, Operation } from '../events/operation.ts';
import {
  type Registration,
  type Subscription,
  type SubscriptionId,
} from '../events/subscription.ts';
import { ColdLayers } from './cold-layers.ts';
import { addTallies, HotLayer } from './hot-layer.ts';
import {
  acceptSignal,
  registerSignal,
  suspendSignal,
  unregisterSignal,
  type AcceptRequest,
  type Changes,
  type ChangesRequest,
  type PlacedEntry,
  type RegisterRequest,
  type SegmentReference,
  type SourceMemo,
  type SuspendRequest,
  type UnregisterRequest,
} from './messages.ts';
import { pageOf } from './source-page.ts';
import type { Merged, Merging, SourceState } from './source-records.ts';

/** How many removals are remembered, to answer an asker with a version that old. */
export const REMOVALS_MAX = 4_000;

/** What a remembered removal takes, in bytes of JSON. */
const REMOVAL_BYTES = 60;

/** A layer with nothing in it. */
const EMPTY_LAYER: Layer = { subscriptions: [], operations: [] };

/** A signal, and when and in which chain of runs it came. */
export interface SignalContext {
  readonly nowMs: number;
  readonly firstRunId: string;
}

interface PendingSignal {
  readonly name: string;
  readonly argument: unknown;
  readonly context: SignalContext;
}

export class Source {
  readonly #hot = new HotLayer();
  readonly #cold = new ColdLayers();
  readonly #removed = new Map<SubscriptionId, number>();
  #forgotten = 0;
  #backlog: PlacedEntry[] = [];
  #version = 0;
  #backlogBytes = 0;
  /** What has come while it does not know yet what it held before. */
  #pending: PendingSignal[] | undefined;

  constructor(state: SourceState | undefined) {
    if (state !== undefined) this.#load(state);
  }

  get version(): number {
    return this.#version;
  }

  /** Of the subscriptions. */
  get stateBytes(): number {
    return this.#hot.tally.bytes + this.#cold.tally.bytes;
  }

  /** About how much crosses continue-as-new. */
  get carriedBytes(): number {
    const removalBytes = this.#removed.size * REMOVAL_BYTES;
    return this.#hot.tally.bytes + this.#cold.carriedBytes + removalBytes + this.#backlogBytes;
  }

  /** Those that are in memory. */
  get subscriptions(): Iterable<Subscription> {
    return this.#hot.subscriptions;
  }

  /** About how many there are: exactly, if all of them are in memory. */
  get size(): number {
    return this.memo.subscriptions ?? 0;
  }

  /** Whether there is something that may be a subscription. */
  get isEmpty(): boolean {
    return this.#hot.isEmpty && this.#cold.isEmpty;
  }

  get backlog(): readonly PlacedEntry[] {
    return this.#backlog;
  }

  get isRecovering(): boolean {
    return this.#pending !== undefined;
  }

  /** What is not in memory. */
  get cold(): Omit<ColdLayers, 'load' | 'beginMove' | 'moved' | 'merged'> {
    return this.#cold;
  }

  get memo(): SourceMemo {
    const { bytes, subscriptions, suspended, unindexed } = addTallies(
      this.#hot.tally,
      this.#cold.tally,
    );
    return {
      version: this.#version,
      backlog: this.#backlog.length,
      stateBytes: bytes,
      hotBytes: this.#hot.tally.bytes + this.#cold.movingBytes,
      segments: this.#cold.segments.length,
      subscriptions: Math.max(0, subscriptions),
      suspended: Math.max(0, suspended),
      unindexed: Math.max(0, unindexed),
      // Never left out: a memo keeps what is not written anew.
      recovering: this.isRecovering,
    };
  }

  /** A signal that is not of a known shape comes from elsewhere, and changes nothing. */
  apply(name: string, argument: unknown, context: SignalContext): void {
    if (typeof argument !== 'object' || argument === null) return;
    if (this.#pending !== undefined) {
      this.#pending.push({ name, argument, context });
    } else if (name === registerSignal.name && 'registrations' in argument) {
      this.register(argument as RegisterRequest, context.nowMs);
    } else if (name === unregisterSignal.name && 'ids' in argument) {
      this.unregister(argument as UnregisterRequest);
    } else if (name === acceptSignal.name && 'entries' in argument) {
      this.accept(argument as AcceptRequest, context.firstRunId);
    } else if (name === suspendSignal.name && 'undeliverable' in argument) {
      this.suspend(argument as SuspendRequest);
    }
  }

  /**
   * Adds subscriptions. One that was removed before stays removed: its registration was
   * overtaken by its end. `again` adds it all the same, ends its suspension, and says which
   * run holds it now.
   */
  register({ registrations, again }: RegisterRequest, nowMs: number): void {
    const kind = again ? 'again' : 'register';
    for (const registration of registrations) {
      const { id } = registration;
      const removedAt = this.#removed.get(id);
      if (removedAt !== undefined && !again) continue;
      if (removedAt !== undefined) this.#bury(id, removedAt);
      const seq = this.#version + 1;
      const subscription = { ...toRegistration(registration), seq, since: nowMs };
      if (this.#operate(id, { kind, subscription })) this.#removed.delete(id);
    }
  }

  /** Removes subscriptions, also those that are not registered yet. */
  unregister({ ids, upTo = Infinity }: UnregisterRequest): void {
    for (const id of ids) {
      if (this.#removed.has(id)) continue;
      // Whatever there may be of it elsewhere is not newer than this.
      const on = this.#hot.operationsOn(id);
      const newest = Math.max(this.#cold.maxVersion, ...on.map(versionOfOperation));
      const isKnown = this.#isKnown(id);
      const isSure = isKnown || upTo >= newest;
      if (isKnown && this.#hot.versionOf(id) > upTo) continue;
      const version = this.#version + 1;
      const operation: Operation = { kind: 'unregister', version, ...(!isSure && { upTo }) };
      if (!this.#operate(id, operation)) {
        if (!isKnown) continue;
        this.#version = version;
      }
      if (isSure) this.#removed.set(id, version);
    }
    for (const [id, version] of this.#removed) {
      if (this.#removed.size <= REMOVALS_MAX) break;
      this.#removed.delete(id);
      this.#forgotten = version;
    }
  }

  /**
   * Keeps subscriptions from getting events, and counts what they did not get. One that another
   * run has registered again since is not meant.
   */
  suspend({ ids, undeliverable, run, upTo }: SuspendRequest): void {
    const condition = { ...(run !== undefined && { run }), ...(upTo !== undefined && { upTo }) };
    for (const id of ids) {
      if (this.#removed.has(id)) continue;
      const version = this.#version + 1;
      this.#operate(id, { kind: 'suspend', version, undeliverable, ...condition });
    }
  }

  /** Puts events into the backlog. Their place is the version: later subscriptions get none. */
  accept({ entries }: AcceptRequest, firstRunId: string): void {
    for (const { chain = firstRunId, after, ...entry } of entries) {
      const isOurs = chain === firstRunId;
      const placed = { ...entry, after: isOurs ? after : 0, place: this.#version };
      this.#backlog.push(placed);
      this.#backlogBytes += JSON.stringify(placed).length;
    }
  }

  /** The oldest entries of the backlog have been dispatched. */
  dispatched(entries: number): void {
    for (const entry of this.#backlog.splice(0, entries)) {
      this.#backlogBytes -= JSON.stringify(entry).length;
    }
  }

  /** What it held before is being read. Signals wait, and take effect after it. */
  beginRecovery(): void {
    this.#pending = [];
  }

  /** This is what it held before, if anything. */
  endRecovery(state: SourceState | undefined): void {
    const pending = this.#pending ?? [];
    this.#pending = undefined;
    if (state !== undefined) this.#load(state);
    for (const { name, argument, context } of pending) this.apply(name, argument, context);
  }

  /** Whether so much is in memory that some of it is to move, or it has begun to. */
  isToMove(hotBytesMax: number): boolean {
    return this.#cold.moving !== undefined || this.#hot.tally.bytes > hotBytesMax;
  }

  /** Whether there is something to move or to merge. */
  isToStore(hotBytesMax: number): boolean {
    return this.isToMove(hotBytesMax) || this.#cold.toMerge(hotBytesMax) !== undefined;
  }

  /**
   * Takes the oldest out of memory, as long as they are on their way into a segment: from now on it
   * is not known what there is of them. Half of what may be in memory stays.
   */
  beginMove(hotBytesMax: number): Layer {
    if (this.#cold.moving) return this.#cold.moving;
    const surplus = this.#hot.tally.bytes - hotBytesMax / 2;
    const layer = this.#hot.oldest(Math.min(hotBytesMax, surplus));
    this.resumeMove(layer);
    return layer;
  }

  /** The same, when it is known what it took. */
  resumeMove(layer: Layer): void {
    if (this.#cold.moving) return;
    for (const { id } of layer.subscriptions) this.#hot.delete(id);
    for (const [id] of layer.operations) this.#hot.delete(id);
    this.#cold.beginMove(layer);
  }

  moved(segment: SegmentReference): void {
    this.#cold.moved(segment);
  }

  beginMerge(merging: Merging): readonly SegmentReference[] {
    return this.#cold.beginMerge(merging);
  }

  merged(merged: Merged, nowMs: number): void {
    this.#cold.merged(merged, nowMs);
    // Who has an older version would not hear of these removals.
    this.#forgotten = Math.max(this.#forgotten, merged.removedUpTo);
  }

  /** These segments are not there any more. */
  dropped(segments: readonly SegmentReference[]): void {
    this.#cold.dropped(segments);
  }

  /** What changed since a version, or a page of all there is. */
  changes(request: ChangesRequest, run: Pick<Changes, 'firstRunId' | 'runId'>): Changes {
    const { after } = request;
    // It would miss what is not in memory, and not know it.
    if (!this.#cold.isEmpty && !request.readsSegments) {
      throw new Error('this source has segments: ask with a version of nextevent that reads them');
    }
    const isDelta =
      after === undefined &&
      request.firstRunId === run.firstRunId &&
      request.since >= this.#forgotten &&
      request.since <= this.#version;
    const since = isDelta ? request.since : (after ?? 0);
    const moving = this.#cold.moving ?? EMPTY_LAYER;
    const segments = this.#cold.segments.filter(({ maxVersion }) => maxVersion > since);
    return {
      ...run,
      version: this.#version,
      backlog: this.#backlog.length,
      snapshot: !isDelta,
      removed: isDelta
        ? [...this.#removed].filter(([, version]) => version > since).map(([id]) => id)
        : [],
      ...pageOf([moving, this.#hot.toLayer()], since),
      layout: this.#cold.made,
      ...(after === undefined && segments.length > 0 && { segments }),
      ...(this.isRecovering && { recovering: true }),
    };
  }

  toState(): SourceState {
    const { subscriptions, operations } = this.#hot.toLayer();
    return {
      version: this.#version,
      subscriptions,
      removals: [...this.#removed].map(([id, version]) => [version, id] as const),
      forgotten: this.#forgotten,
      backlog: this.#backlog,
      ...(operations.length > 0 && { operations }),
      ...this.#cold.toState(),
    };
  }

  #load(state: SourceState): void {
    const { subscriptions, operations = [] } = state;
    this.#version = state.version;
    this.#hot.add({ subscriptions, operations });
    this.#cold.load(state);
    for (const [version, id] of state.removals) this.#removed.set(id, version);
    this.#forgotten = state.forgotten;
    this.#backlog = [...state.backlog];
    for (const entry of this.#backlog) this.#backlogBytes += JSON.stringify(entry).length;
  }

  /** Whether all that there is of it is in memory. */
  #isKnown(id: SubscriptionId): boolean {
    if (this.#hot.get(id) !== undefined) return true;
    return this.#cold.isEmpty && this.#hot.operationsOn(id).length === 0;
  }

  /** It is to be a new one to who has not heard yet of its removal, which is forgotten now. */
  #bury(id: SubscriptionId, version: number): void {
    if (this.#isKnown(id) || this.#hot.operationsOn(id).length > 0) return;
    this.#hot.operate(id, [{ kind: 'unregister', version, isFresh: true }]);
  }

  /** Each operation that may change something is a version. */
  #operate(id: SubscriptionId, operation: Operation): boolean {
    if (this.#isKnown(id)) {
      const held = this.#hot.get(id);
      const after = applyOperation(held, operation);
      if (after === held) return false;
      if (after) this.#hot.put(after);
      else this.#hot.delete(id);
    } else {
      const before = this.#hot.operationsOn(id);
      const after = addOperation(before, operation);
      if (after === before) return false;
      this.#hot.operate(id, after);
    }
    this.#version += 1;
    return true;
  }
}

/** Only what belongs to it: a sender of a later version may send more. */
function toRegistration(given: Registration): Registration {
  const { id, filter, workflowId, firstRunId, run, unindexed } = given;
  return {
    id,
    filter,
    workflowId,
    firstRunId,
    ...(run !== undefined && { run }),
    ...(unindexed && { unindexed }),
  };
}
