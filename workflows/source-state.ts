// The state of a source workflow: a plain record that crosses continue-as-new, and the
// pure steps that change it. Every step that adds, changes or removes a subscription is a
// version.

import { utf8ToBytes } from '@noble/hashes/utils.js';

import {
  versionOf,
  type Registration,
  type Subscription,
  type SubscriptionId,
} from '../events/subscription.ts';
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
import type { SourceState } from './source-records.ts';

/** How many removals are remembered, to answer an asker with a version that old. */
export const REMOVALS_MAX = 4_000;

/** How much of a snapshot is in one page, in bytes: a query's answer is at most 2 MiB. */
export const PAGE_BYTES_MAX = 1024 * 1024;

/** What a subscription takes beside its texts, in bytes of JSON. */
const SUBSCRIPTION_OVERHEAD_BYTES = 130;

/** What a remembered removal takes, in bytes of JSON. */
const REMOVAL_BYTES = 60;

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
  readonly #subscriptions = new Map<SubscriptionId, Subscription>();
  readonly #removed = new Map<SubscriptionId, number>();
  #forgotten = 0;
  #backlog: PlacedEntry[] = [];
  #version = 0;
  #stateBytes = 0;
  #backlogBytes = 0;
  #suspended = 0;
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
    return this.#stateBytes;
  }

  /** About how much crosses continue-as-new. */
  get carriedBytes(): number {
    return this.#stateBytes + this.#backlogBytes + this.#removed.size * REMOVAL_BYTES;
  }

  get subscriptions(): Iterable<Subscription> {
    return this.#subscriptions.values();
  }

  get size(): number {
    return this.#subscriptions.size;
  }

  get backlog(): readonly PlacedEntry[] {
    return this.#backlog;
  }

  get isRecovering(): boolean {
    return this.#pending !== undefined;
  }

  get memo(): SourceMemo {
    return {
      version: this.#version,
      backlog: this.#backlog.length,
      stateBytes: this.#stateBytes,
      subscriptions: this.size,
      suspended: this.#suspended,
      // Never left out: a memo keeps what is not written anew.
      ...(this.tellsAge && { oldestAcceptedAt: this.backlog[0]?.acceptedAt ?? 0 }),
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
    for (const registration of registrations) {
      const held = this.#subscriptions.get(registration.id);
      if (held !== undefined) {
        if (again) this.#change({ ...without(held, 'suspended'), ...toRegistration(registration) });
        continue;
      }
      if (this.#removed.has(registration.id) && !again) continue;
      this.#removed.delete(registration.id);
      this.#put({ ...toRegistration(registration), seq: ++this.#version, since: nowMs });
    }
  }

  /** Removes subscriptions, also those that are not registered yet. */
  unregister({ ids, upTo = Infinity }: UnregisterRequest): void {
    for (const id of ids) {
      const held = this.#subscriptions.get(id);
      if (this.#removed.has(id) || (held && versionOf(held) > upTo)) continue;
      this.#drop(id);
      this.#removed.set(id, ++this.#version);
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
  suspend({ ids, undeliverable, run, upTo = Infinity }: SuspendRequest): void {
    for (const id of ids) {
      const held = this.#subscriptions.get(id);
      if (held === undefined) continue;
      const isMeant = versionOf(held) <= upTo && (run === undefined || held.run === run);
      if (!isMeant && !held.suspended) continue;
      const missed = (held.undeliverable ?? 0) + undeliverable;
      this.#change({ ...held, suspended: true, ...(missed > 0 && { undeliverable: missed }) });
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

  /** What changed since a version, or a page of all there is. */
  changes(request: ChangesRequest, run: Pick<Changes, 'firstRunId' | 'runId'>): Changes {
    const after = request.after;
    const isDelta =
      after === undefined &&
      request.firstRunId === run.firstRunId &&
      request.since >= this.#forgotten &&
      request.since <= this.#version;
    const since = isDelta ? request.since : (after ?? 0);
    const page = pageOf(this.#subscriptions.values(), since);
    return {
      ...run,
      version: this.#version,
      backlog: this.#backlog.length,
      snapshot: !isDelta,
      added: page.subscriptions,
      removed: isDelta
        ? [...this.#removed].filter(([, version]) => version > since).map(([id]) => id)
        : [],
      ...(this.isRecovering && { recovering: true }),
      ...(page.next !== undefined && { next: page.next }),
    };
  }

  toState(): SourceState {
    return {
      version: this.#version,
      subscriptions: [...this.#subscriptions.values()],
      removals: [...this.#removed].map(([id, version]) => [version, id] as const),
      forgotten: this.#forgotten,
      backlog: this.#backlog,
    };
  }

  #load(state: SourceState): void {
    this.#version = state.version;
    for (const held of state.subscriptions) this.#put(held);
    for (const [version, id] of state.removals) this.#removed.set(id, version);
    this.#forgotten = state.forgotten;
    this.#backlog = [...state.backlog];
    for (const entry of this.#backlog) this.#backlogBytes += JSON.stringify(entry).length;
  }

  /** A change is a version, too. */
  #change(subscription: Subscription): void {
    this.#drop(subscription.id);
    this.#put({ ...subscription, changed: ++this.#version });
  }

  /** At the end: the order of the map is that of versions. */
  #put(subscription: Subscription): void {
    this.#subscriptions.set(subscription.id, subscription);
    this.#count(subscription, 1);
  }

  #drop(id: SubscriptionId): void {
    const held = this.#subscriptions.get(id);
    if (held === undefined) return;
    this.#count(held, -1);
    this.#subscriptions.delete(id);
  }

  #count(subscription: Subscription, by: 1 | -1): void {
    this.#stateBytes += by * bytesOf(subscription);
    if (subscription.suspended) this.#suspended += by;
  }
}

interface Page {
  readonly subscriptions: readonly Subscription[];
  readonly next?: number;
}

function pageOf(all: Iterable<Subscription>, after: number): Page {
  const subscriptions: Subscription[] = [];
  let bytes = 0;
  for (const subscription of all) {
    if (versionOf(subscription) <= after) continue;
    bytes += bytesOf(subscription);
    const last = subscriptions.at(-1);
    if (last && bytes > PAGE_BYTES_MAX) return { subscriptions, next: versionOf(last) };
    subscriptions.push(subscription);
  }
  return { subscriptions };
}

function without<T extends object, K extends keyof T>(record: T, key: K): Omit<T, K> {
  const { [key]: _, ...rest } = record;
  return rest;
}

/** Only what belongs to it: a sender of a later version may send more. */
function toRegistration(given: Registration): Registration {
  const { id, filter, workflowId, firstRunId, run } = given;
  return { id, filter, workflowId, firstRunId, ...(run !== undefined && { run }) };
}

function bytesOf({ id, filter, workflowId, firstRunId }: Subscription): number {
  const texts = JSON.stringify([id, filter, workflowId, firstRunId]);
  return utf8ToBytes(texts).length + SUBSCRIPTION_OVERHEAD_BYTES;
}
