// What a source does of itself: it drops subscriptions whose workflow has ended without a
// word, and, when somebody has terminated it, reads what it held from its history.

import { Context, heartbeat } from '@temporalio/activity';

import type { SourceClient } from '../dispatch/source-client.ts';
import { sideBySide } from '../dispatch/side-by-side.ts';
import type { SourceRuns } from '../dispatch/source-runs.ts';
import { isGone, type SubscriberClient } from '../dispatch/subscriber-client.ts';
import { Subscribers } from '../dispatch/subscribers.ts';
import type { Recovered } from '../workflows/source-state.ts';
import { runTag, type Subscription, type SubscriptionId } from '../events/subscription.ts';
import { recoverSource } from './recover-source.ts';

/** How long it may take to know every subscription. */
const READING_MS_MAX = 10_000;

/** How many workflows are looked at side by side. */
const LOOKS_MAX = 8;

/** How many subscriptions one signal removes. */
const IDS_MAX = 1_000;

/** How many entries of a backlog one answer has: it may have 2 MiB. */
const ENTRIES_MAX = 3_000;

export interface CareRequest {
  readonly source: string;
}

export interface RecoverRequest extends CareRequest {
  readonly skip: number;
}

export interface CareDeps {
  readonly client: SourceClient;
  readonly subscribers: SubscriberClient;
  readonly runs: SourceRuns;
}

export function createCareActivities({ client, subscribers, runs }: CareDeps) {
  return {
    /** Removes the subscriptions of workflows that have ended. Gives how many. */
    async nexteventSweep({ source }: CareRequest): Promise<number> {
      const copy = new Subscribers(source, client, { readingMsMax: READING_MS_MAX });
      const reading = await copy.read();
      if (reading.kind !== 'current') throw new Error(`the subscriptions of ${source} are unknown`);
      const byWorkflow = new Map<string, Subscription[]>();
      for (const held of copy.subscriptions) {
        byWorkflow.set(held.workflowId, [...(byWorkflow.get(held.workflowId) ?? []), held]);
      }
      const left: SubscriptionId[] = [];
      await sideBySide(byWorkflow, LOOKS_MAX, async ([workflowId, held]) => {
        heartbeat();
        left.push(...(await leftBy(subscribers, workflowId, held)));
      });
      for (let at = 0; at < left.length; at += IDS_MAX) {
        await client.unregister(source, left.slice(at, at + IDS_MAX));
      }
      return left.length;
    },

    /**
     * What the run before held, and a part of its backlog, of which so many entries are known
     * already. Nothing if there was no run before.
     */
    async nexteventRecover({ source, skip }: RecoverRequest): Promise<Recovered> {
      const { runId = '' } = Context.current().info.workflowExecution ?? {};
      const state = await recoverSource(runs, source, runId);
      if (state === undefined) return { backlog: [], hasMore: false };
      const backlog = state.backlog.slice(skip, skip + ENTRIES_MAX);
      const hasMore = state.backlog.length > skip + backlog.length;
      if (skip > 0) return { backlog, hasMore };
      return { state: { ...state, backlog: [] }, backlog, hasMore };
    },
  };
}

/** Those of a workflow's subscriptions that nobody holds any more. */
async function leftBy(
  subscribers: SubscriberClient,
  workflowId: string,
  held: readonly Subscription[],
): Promise<SubscriptionId[]> {
  const described = await subscribers.describe(workflowId);
  const gone = held.filter((subscription) => isGone(described, subscription));
  if (gone.length === held.length || described === undefined) return toIds(gone);
  // Another run registered these. It handed them on when it continued as new; if the workflow
  // was reset to before they were made, nobody has them.
  const run = runTag(described.runId);
  const others = held.filter(
    (one) => !gone.includes(one) && one.run !== undefined && one.run !== run,
  );
  if (others.length === 0) return toIds(gone);
  // Without its worker it can not be asked: the next sweep will.
  const known = await subscribers.held(workflowId).catch(() => undefined);
  if (known === undefined) return toIds(gone);
  const ids = new Set(known.map(({ id }) => id));
  return toIds([...gone, ...others.filter(({ id }) => !ids.has(id))]);
}

function toIds(subscriptions: readonly Subscription[]): SubscriptionId[] {
  return subscriptions.map(({ id }) => id);
}
