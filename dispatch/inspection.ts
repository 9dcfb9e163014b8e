// What operators see: the sources, and who waits for what.

import type { Subscription, SubscriptionId } from '../events/subscription.ts';
import type { HeldDescription } from '../workflows/messages.ts';
import type { MatchFailure } from './match-failures.ts';
import { sideBySide } from './side-by-side.ts';
import type { SourceClient } from './source-client.ts';
import type { SourceDispatcher } from './source-dispatcher.ts';
import type { SubscriberClient } from './subscriber-client.ts';

/** How many workflows are asked side by side what they have not read. */
const ASKED_MAX = 8;

/** How long one of them may take. Without its worker it does not answer. */
const ANSWER_MS_MAX = 1_000;

/** A source as an operator sees it. Numbers are those of its workflow's last task. */
export interface SourceStatus {
  readonly name: string;
  /**
   * - `unused`: nobody has subscribed yet
   * - `running`: all is well
   * - `recovering`: its workflow was terminated, and reads what it held
   * - `ended`: its workflow was terminated; the next event or subscription starts it again
   */
  readonly status: 'unused' | 'running' | 'recovering' | 'ended';
  readonly subscriptions: number;
  readonly suspended: number;
  /** How many events wait to be dispatched. */
  readonly backlog: number;
  /** Since when the oldest of them has waited, in RFC 3339; null if none does, or it is not known. */
  readonly oldestSince: string | null;
  /** Whether the backlog takes more. */
  readonly hasRoom: boolean;
  /** Whether something has changed that no worker has seen yet. */
  readonly isPending: boolean;
  /** Since when, in RFC 3339; null if nothing has. */
  readonly pendingSince: string | null;
  readonly version: number;
  /** About how much its subscriptions take, in bytes. */
  readonly stateBytes: number;
  /** How many parts of them are in workflows of their own. */
  readonly segments: number;
}

/** A subscription as an operator sees it. */
export interface SubscriptionStatus {
  readonly id: SubscriptionId;
  readonly source: string;
  readonly filter: string;
  readonly workflowId: string;
  /** When it was registered, in the format of RFC 3339; null if that is not known. */
  readonly since: string | null;
  /** How many events have come for it; null if its workflow does not answer. */
  readonly received: number | null;
  /** How many of them nobody has read; null if its workflow does not answer. */
  readonly unread: number | null;
  /** Its workflow's run takes no more events. */
  readonly suspended: boolean;
  /** How many events it did not get because its workflow took no more. */
  readonly undeliverable: number;
  /** The last event that its filter could not be evaluated on, in this process. */
  readonly lastError: MatchFailure | null;
}

/** Some of the subscriptions of a source, oldest first. */
export interface SubscriptionPage {
  readonly subscriptions: readonly SubscriptionStatus[];
  /** Ask for more with this `after`; null if there are none. */
  readonly next: number | null;
}

export interface PageRequest {
  readonly limit: number;
  /** Subscriptions after this place. */
  readonly after: number;
}

export interface InspectionDeps {
  readonly client: SourceClient;
  readonly subscribers: SubscriberClient;
  readonly dispatchers: ReadonlyMap<string, SourceDispatcher>;
}

export class Inspection {
  readonly #deps: InspectionDeps;

  constructor(deps: InspectionDeps) {
    this.#deps = deps;
  }

  /** Needs no worker. */
  async source(name: string): Promise<SourceStatus> {
    const described = await this.#deps.client.describe(name);
    const { memo, isOpen, isPending = false, pendingSince, hasRoom = true } = described ?? {};
    const live = memo?.recovering ? 'recovering' : 'running';
    const ended = described === undefined ? 'unused' : 'ended';
    return {
      name,
      status: isOpen ? live : ended,
      subscriptions: memo?.subscriptions ?? 0,
      suspended: memo?.suspended ?? 0,
      backlog: memo?.backlog ?? 0,
      oldestSince: toTime(memo?.oldestAcceptedAt),
      hasRoom,
      isPending,
      pendingSince: toTime(pendingSince),
      version: memo?.version ?? 0,
      stateBytes: memo?.stateBytes ?? 0,
      segments: memo?.segments ?? 0,
    };
  }

  /** The subscriptions of a source that this process knows, without asking anybody. */
  known(source: string): Iterable<Subscription> {
    return this.#deps.dispatchers.get(source)?.known ?? [];
  }

  /** Undefined if there is no such source, or nobody can tell: a worker has to be there. */
  async subscriptions(source: string, page: PageRequest): Promise<SubscriptionPage | undefined> {
    const dispatcher = this.#deps.dispatchers.get(source);
    const all = await dispatcher?.subscriptions();
    if (dispatcher === undefined || all === undefined) return undefined;
    const rest = all.filter(({ seq }) => seq > page.after).toSorted((a, b) => a.seq - b.seq);
    const shown = rest.slice(0, page.limit);
    const held = await this.#askAll(shown);
    return {
      subscriptions: shown.map((subscription) => ({
        id: subscription.id,
        source,
        filter: subscription.filter,
        workflowId: subscription.workflowId,
        since: toTime(subscription.since),
        received: held.get(subscription.id)?.received ?? null,
        unread: held.get(subscription.id)?.unread ?? null,
        suspended: subscription.suspended === true,
        undeliverable: subscription.undeliverable ?? 0,
        lastError: dispatcher.failures.of(subscription.id) ?? null,
      })),
      next: rest.length > shown.length ? (shown.at(-1)?.seq ?? null) : null,
    };
  }

  /** What the workflows themselves say of their subscriptions. */
  async #askAll(subscriptions: readonly Subscription[]) {
    const workflowIds = new Set(subscriptions.map(({ workflowId }) => workflowId));
    const known = new Map<SubscriptionId, HeldDescription>();
    await sideBySide(workflowIds, ASKED_MAX, async (workflowId) => {
      // One that does not answer is shown without numbers.
      const held = await this.#deps.subscribers.held(workflowId, ANSWER_MS_MAX).catch(() => []);
      for (const one of held) known.set(one.id, one);
    });
    return known;
  }
}

function toTime(ms: number | undefined): string | null {
  return ms === undefined || ms === 0 ? null : new Date(ms).toISOString();
}
