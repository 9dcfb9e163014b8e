// The state of a source workflow: a plain record that crosses continue-as-new, and the
// pure steps that change it. Every step that adds, changes or removes a subscription is a
// version.

import type { Operation } from '../events/operation.ts';
import type { Registration, SubscriptionId } from '../events/subscription.ts';
import { Layers } from './layers.ts';
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
  type SourceMemo,
  type SuspendRequest,
  type UnregisterRequest,
} from './messages.ts';
import { PlacedBacklog } from './placed-backlog.ts';
import { Removals } from './removals.ts';
import {
  isAcceptRequest,
  isRegisterRequest,
  isSuspendRequest,
  isUnregisterRequest,
} from './signal-shapes.ts';
import { pageOf } from './source-page.ts';
import type { Merged, SourceState } from './source-records.ts';

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
  /** Whether the memo says how old the backlog is: when it is written depends on what is in it. */
  tellsAge = false;
  /** The subscriptions. */
  readonly layers = new Layers();
  readonly #removed = new Removals();
  readonly #backlog = new PlacedBacklog();
  #version = 0;
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
    return this.layers.tally.bytes;
  }

  /** About how much crosses continue-as-new. */
  get carriedBytes(): number {
    return this.layers.carriedBytes + this.#removed.bytes + this.#backlog.bytes;
  }

  /** About how many there are: exactly, if all of them are in memory. */
  get size(): number {
    return this.memo.subscriptions ?? 0;
  }

  /** Whether there is something that may be a subscription. */
  get isEmpty(): boolean {
    return this.layers.hot.isEmpty && this.layers.cold.isEmpty;
  }

  get backlog(): readonly PlacedEntry[] {
    return this.#backlog.entries;
  }

  get isRecovering(): boolean {
    return this.#pending !== undefined;
  }

  get memo(): SourceMemo {
    const { bytes, subscriptions, suspended, unindexed } = this.layers.tally;
    return {
      version: this.#version,
      backlog: this.backlog.length,
      stateBytes: bytes,
      hotBytes: this.layers.hotBytes,
      segments: this.layers.cold.segments.length,
      subscriptions: Math.max(0, subscriptions),
      suspended: Math.max(0, suspended),
      unindexed: Math.max(0, unindexed),
      // Never left out: a memo keeps what is not written anew.
      ...(this.tellsAge && { oldestAcceptedAt: this.backlog[0]?.acceptedAt ?? 0 }),
      recovering: this.isRecovering,
    };
  }

  /** A signal that is not of a known name and shape comes from elsewhere, and changes nothing. */
  apply(name: string, argument: unknown, context: SignalContext): void {
    if (this.#pending !== undefined) {
      this.#pending.push({ name, argument, context });
    } else if (name === registerSignal.name && isRegisterRequest(argument)) {
      this.register(argument, context.nowMs);
    } else if (name === unregisterSignal.name && isUnregisterRequest(argument)) {
      this.unregister(argument);
    } else if (name === acceptSignal.name && isAcceptRequest(argument)) {
      this.accept(argument, context.firstRunId);
    } else if (name === suspendSignal.name && isSuspendRequest(argument)) {
      this.suspend(argument);
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
      if (removedAt !== undefined) this.layers.bury(id, removedAt);
      const seq = this.#version + 1;
      const subscription = { ...toRegistration(registration), seq, since: nowMs };
      if (this.#operate(id, { kind, subscription })) this.#removed.delete(id);
    }
  }

  /** Removes subscriptions, also those that are not registered yet. */
  unregister({ ids, upTo = Infinity }: UnregisterRequest): void {
    for (const id of ids) {
      if (this.#removed.has(id)) continue;
      const isKnown = this.layers.isKnown(id);
      if (isKnown && this.layers.hot.versionOf(id) > upTo) continue;
      const isSure = isKnown || upTo >= this.layers.newestOf(id);
      const version = this.#version + 1;
      const operation: Operation = { kind: 'unregister', version, ...(!isSure && { upTo }) };
      if (!this.#operate(id, operation)) {
        if (!isKnown) continue;
        this.#version = version;
      }
      if (isSure) this.#removed.add(id, version);
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
    this.#backlog.add({ entries }, this.#version, firstRunId);
  }

  /** The oldest entries of the backlog: so many at the most, and about so many bytes, or one. */
  oldest(countMax: number, bytesMax: number): readonly PlacedEntry[] {
    return this.#backlog.oldest(countMax, bytesMax);
  }

  /** The oldest entries of the backlog have been dispatched. */
  dispatched(entries: number): void {
    this.#backlog.dispatched(entries);
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

  /** Segments have been merged. */
  merged(merged: Merged, nowMs: number): void {
    this.layers.cold.merged(merged, nowMs);
    // Who has an older version would not hear of these removals.
    this.#removed.forget(merged.removedUpTo);
  }

  /** What changed since a version, or a page of all there is. */
  changes(request: ChangesRequest, run: Pick<Changes, 'firstRunId' | 'runId'>): Changes {
    const { after } = request;
    // It would miss what is not in memory, and not know it.
    if (!this.layers.cold.isEmpty && !request.readsSegments) {
      throw new Error('this source has segments: ask with a version of nextevent that reads them');
    }
    const isDelta =
      after === undefined &&
      request.firstRunId === run.firstRunId &&
      request.since >= this.#removed.forgotten &&
      request.since <= this.#version;
    const since = isDelta ? request.since : (after ?? 0);
    const segments = this.layers.cold.segments.filter(({ maxVersion }) => maxVersion > since);
    return {
      ...run,
      version: this.#version,
      backlog: this.backlog.length,
      snapshot: !isDelta,
      removed: isDelta ? this.#removed.after(since) : [],
      ...pageOf(this.layers.inMemory, since),
      layout: this.layers.cold.made,
      ...(after === undefined && segments.length > 0 && { segments }),
      ...(this.isRecovering && { recovering: true }),
    };
  }

  toState(): SourceState {
    return {
      version: this.#version,
      ...this.layers.toState(),
      ...this.#removed.toState(),
      backlog: this.backlog,
    };
  }

  #load(state: SourceState): void {
    this.#version = state.version;
    this.layers.load(state);
    this.#removed.load(state);
    this.#backlog.load(state.backlog);
  }

  /** Each operation that may change something is a version. */
  #operate(id: SubscriptionId, operation: Operation): boolean {
    if (!this.layers.operate(id, operation)) return false;
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
