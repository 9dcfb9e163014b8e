// The state of a source workflow: a plain record that crosses continue-as-new, and the
// pure steps that change it. Every step that adds or removes a subscription is a version.

import type { Registration, Subscription, SubscriptionId } from '../events/subscription.ts';
import type { AcceptRequest, Changes, ChangesRequest, PlacedEntry } from './messages.ts';

/** How many removals are remembered, to answer an asker with a version that old. */
export const REMOVALS_MAX = 4_000;

/** How much of a snapshot is in one page, in bytes: a query's answer is at most 2 MiB. */
export const PAGE_BYTES_MAX = 1024 * 1024;

/** What a subscription takes beside its texts, in bytes of JSON. */
const SUBSCRIPTION_OVERHEAD_BYTES = 100;

type Removal = readonly [version: number, id: SubscriptionId];

export interface SourceState {
  readonly version: number;
  /** In the order of `seq`. */
  readonly subscriptions: readonly Subscription[];
  /** The last removals, oldest first. */
  readonly removals: readonly Removal[];
  /** Removals up to this version are forgotten. */
  readonly forgotten: number;
  /** Oldest first. */
  readonly backlog: readonly PlacedEntry[];
}

export class Source {
  readonly #subscriptions: Map<SubscriptionId, Subscription>;
  readonly #removed: Map<SubscriptionId, number>;
  #forgotten: number;
  #backlog: PlacedEntry[];
  #version: number;
  #stateBytes = 0;

  constructor(state: SourceState | undefined) {
    this.#version = state?.version ?? 0;
    this.#subscriptions = new Map(state?.subscriptions.map((held) => [held.id, held]));
    this.#removed = new Map(state?.removals.map(([version, id]) => [id, version]));
    this.#forgotten = state?.forgotten ?? 0;
    this.#backlog = [...(state?.backlog ?? [])];
    for (const held of this.#subscriptions.values()) this.#stateBytes += bytesOf(held);
  }

  get version(): number {
    return this.#version;
  }

  get stateBytes(): number {
    return this.#stateBytes;
  }

  get backlog(): readonly PlacedEntry[] {
    return this.#backlog;
  }

  /**
   * Adds subscriptions. One that was removed before stays removed: its registration was
   * overtaken by its end. `again` adds it all the same, for a workflow that was reset.
   */
  register(registrations: readonly Registration[], again: boolean): void {
    for (const registration of registrations) {
      const { id, filter, workflowId, firstRunId } = registration;
      if (this.#subscriptions.has(id) || (this.#removed.has(id) && !again)) continue;
      this.#removed.delete(id);
      const subscription = { id, filter, workflowId, firstRunId, seq: ++this.#version };
      this.#subscriptions.set(id, subscription);
      this.#stateBytes += bytesOf(subscription);
    }
  }

  /** Removes subscriptions, also those that are not registered yet. */
  unregister(ids: readonly SubscriptionId[]): void {
    for (const id of ids) {
      if (this.#removed.has(id)) continue;
      const held = this.#subscriptions.get(id);
      if (held) this.#stateBytes -= bytesOf(held);
      this.#subscriptions.delete(id);
      this.#removed.set(id, ++this.#version);
    }
    for (const [id, version] of this.#removed) {
      if (this.#removed.size <= REMOVALS_MAX) break;
      this.#removed.delete(id);
      this.#forgotten = version;
    }
  }

  /** Puts events into the backlog. Their place is the version: later subscriptions get none. */
  accept({ entries }: AcceptRequest): void {
    for (const entry of entries) this.#backlog.push({ ...entry, place: this.#version });
  }

  /** The oldest entries of the backlog have been dispatched. */
  dispatched(entries: number): void {
    this.#backlog.splice(0, entries);
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
}

interface Page {
  readonly subscriptions: readonly Subscription[];
  readonly next?: number;
}

function pageOf(all: Iterable<Subscription>, after: number): Page {
  const subscriptions: Subscription[] = [];
  let bytes = 0;
  for (const subscription of all) {
    if (subscription.seq <= after) continue;
    bytes += bytesOf(subscription);
    const last = subscriptions.at(-1);
    if (last && bytes > PAGE_BYTES_MAX) return { subscriptions, next: last.seq };
    subscriptions.push(subscription);
  }
  return { subscriptions };
}

function bytesOf({ id, filter, workflowId, firstRunId }: Subscription): number {
  const texts = JSON.stringify([id, filter, workflowId, firstRunId]);
  return texts.length + SUBSCRIPTION_OVERHEAD_BYTES;
}
