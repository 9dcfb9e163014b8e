// What a source does of itself: it drops subscriptions whose workflow has ended without a
// word, and, when somebody has terminated it, reads what it held from its history.

import { setTimeout as sleep } from 'node:timers/promises';

import { Context, heartbeat } from '@temporalio/activity';

import type { SourceClient } from '../dispatch/source-client.ts';
import { sideBySide } from '../dispatch/side-by-side.ts';
import type { SourceRuns } from '../dispatch/source-runs.ts';
import {
  isGone,
  type SubscriberClient,
  type SubscriberDescription,
} from '../dispatch/subscriber-client.ts';
import { readSubscriptions } from '../dispatch/source-reading.ts';
import { backlogPageOf, pageOf } from '../workflows/recovered.ts';
import type { Recovered } from '../workflows/source-records.ts';
import {
  runTag,
  type Registration,
  type Subscription,
  type SubscriptionId,
} from '../events/subscription.ts';
import { recoverSource } from './recover-source.ts';

/** How many workflows are looked at side by side. */
const LOOKS_MAX = 8;

/** How many subscriptions are removed at once. */
const LEAVING_MAX = 200;

/** How often a run before is looked for that should be there. */
const BEFORE_LOOKS_MAX = 5;

/** How long visibility is given between two of these looks, in milliseconds. */
const BEFORE_LOOK_MS = 3_000;

/** How often the server hears that it is at work. */
const HEARTBEAT_MS = 5_000;

/** After so many workflows that do not answer, no more are asked in a sweep. */
const SILENT_MAX = 20;

/** After so many failures in a row nobody is there to ask, and the sweep is tried again later. */
const FAILURES_MAX = 20;

/** How long it waits after a failure, in milliseconds: the server may be overloaded. */
const FAILURE_PAUSE_MS = 1_000;

export interface CareRequest {
  readonly source: string;
}

export interface RecoverRequest extends CareRequest {
  /** How many records are known. Nothing is, not even what is no list, if it is not set. */
  readonly skip?: number | undefined;
  /** The run to recover from, or one of its chain, if it is known. */
  readonly previousRunId?: string | undefined;
}

export interface CareDeps {
  readonly client: SourceClient;
  readonly subscribers: SubscriberClient;
  readonly runs: SourceRuns;
}

export function createCareActivities({ client, subscribers, runs }: CareDeps) {
  return {
    /** Removes the subscriptions that nobody holds any more. Gives how many. */
    async nexteventSweep({ source }: CareRequest): Promise<number> {
      // An attempt goes on where the one before it was; the next sweep looks at all again.
      const done = toPlace(Context.current().info.heartbeatDetails);
      const beat = setInterval(() => heartbeat(done), HEARTBEAT_MS);
      const copy = await readSubscriptions(client, source).finally(() => clearInterval(beat));
      const byWorkflow = new Map<string, Subscription[]>();
      for (const held of copy.subscriptions) {
        byWorkflow.set(held.workflowId, [...(byWorkflow.get(held.workflowId) ?? []), held]);
      }
      const sweep = new Sweep(subscribers);
      const left = [...byWorkflow].filter(([, [first]]) => (first?.seq ?? 0) > done);
      let removed = 0;
      let leaving: SubscriptionId[] = [];
      const unregister = async (): Promise<void> => {
        const ids = leaving;
        leaving = [];
        // What has been registered anew since the copy was made is somebody's.
        if (ids.length > 0) await client.unregister(source, ids, copy.version);
        removed += ids.length;
      };
      try {
        await sideBySide(left, LOOKS_MAX, async ([workflowId, held]) => {
          heartbeat(held[0]?.seq);
          const { left: gone, revived } = await sweep.look(workflowId, held);
          leaving.push(...gone);
          if (leaving.length >= LEAVING_MAX) await unregister();
          if (revived.length > 0) {
            await client.register(source, { registrations: revived.map(withoutRun), again: true });
          }
        });
      } finally {
        // Also of an attempt that gives up: the next one begins behind these.
        await unregister();
      }
      return removed;
    },

    /** What the run before held, in parts. Nothing if there was no run before, or it was deleted. */
    nexteventRecoverInParts: (request: RecoverRequest) => recover(request, pageOf),

    /** The same for older runs, which ask for parts of the backlog alone. */
    nexteventRecover: (request: RecoverRequest) => recover(request, backlogPageOf),
  };

  async function recover(request: RecoverRequest, page: typeof pageOf): Promise<Recovered> {
    const { source, skip, previousRunId } = request;
    const { runId = '' } = Context.current().info.workflowExecution ?? {};
    const beat = setInterval(() => heartbeat(), HEARTBEAT_MS);
    try {
      const from = previousRunId ?? (await findBefore(runs, source, runId));
      if (from === undefined) return { backlog: [], hasMore: false };
      const last = await runs.lastOf(source, from);
      const state = await recoverSource(runs, source, last);
      if (state === undefined) return { runId: last, backlog: [], hasMore: false };
      return { runId: last, ...page(state, skip) };
    } finally {
      clearInterval(beat);
    }
  }
}

/** There must have been one, and visibility may show it late. Or it was deleted. */
async function findBefore(
  runs: SourceRuns,
  source: string,
  runId: string,
): Promise<string | undefined> {
  for (let look = 0; look < BEFORE_LOOKS_MAX; look += 1) {
    if (look > 0) await sleep(BEFORE_LOOK_MS);
    const found = await runs.before(source, runId);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The place of the first subscription of the workflow that was looked at last. */
function toPlace(details: unknown): number {
  return typeof details === 'number' ? details : 0;
}

interface Looked {
  /** Those that nobody holds any more. */
  readonly left: readonly SubscriptionId[];
  /** Suspended, but their workflow does not know of it, and takes more. */
  readonly revived: readonly Subscription[];
}

class Sweep {
  readonly #subscribers: SubscriberClient;
  #silent = 0;
  #failures = 0;

  constructor(subscribers: SubscriberClient) {
    this.#subscribers = subscribers;
  }

  async look(workflowId: string, all: readonly Subscription[]): Promise<Looked> {
    const described = await this.#describe(workflowId);
    const gone = all.filter((subscription) => isGone(described, subscription));
    const rest = all.filter((subscription) => !gone.includes(subscription));
    // Another run registered these. It handed them on when it continued as new; if the workflow
    // was reset to before they were made, nobody has them.
    const run = runTag(described?.runId ?? '');
    const doubtful = rest.filter((one) => one.suspended || (one.run ?? run) !== run);
    const known = doubtful.length > 0 ? await this.#ask(workflowId) : undefined;
    if (known === undefined) return { left: toIds(gone), revived: [] };
    const left = doubtful.filter(({ id }) => !known.has(id));
    const revived = doubtful.filter(({ id, suspended }) => suspended && known.get(id) === false);
    return { left: toIds([...gone, ...left]), revived };
  }

  async #describe(workflowId: string): Promise<SubscriberDescription | undefined> {
    for (;;) {
      try {
        const described = await this.#subscribers.describe(workflowId);
        this.#failures = 0;
        return described;
      } catch (error) {
        this.#failures += 1;
        if (this.#failures > FAILURES_MAX) throw error;
        await sleep(FAILURE_PAUSE_MS);
      }
    }
  }

  /** Whether each of what the workflow holds is suspended. Without its worker it is not known. */
  async #ask(workflowId: string): Promise<Map<SubscriptionId, boolean> | undefined> {
    if (this.#silent >= SILENT_MAX) return undefined;
    try {
      const held = await this.#subscribers.held(workflowId);
      return new Map(held.map(({ id, suspended }) => [id, suspended]));
    } catch {
      this.#silent += 1;
      return undefined;
    }
  }
}

/** Since the copy was made another run may have registered it: the source keeps that one's tag. */
function withoutRun(subscription: Subscription): Registration {
  const { run: _, ...registration } = subscription;
  return registration;
}

function toIds(subscriptions: readonly Subscription[]): SubscriptionId[] {
  return subscriptions.map(({ id }) => id);
}
