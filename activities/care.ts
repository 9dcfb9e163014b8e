// What a source does of itself: it drops subscriptions whose workflow has ended without a
// word, and, when somebody has terminated it, asks for the subscriptions that it held.

import { setTimeout as sleep } from 'node:timers/promises';

import { Context, heartbeat } from '@temporalio/activity';

import type { SourceClient } from '../dispatch/source-client.ts';
import { isGone, type SubscriberClient } from '../dispatch/subscriber-client.ts';
import { Subscribers } from '../dispatch/subscribers.ts';
import { runTag, type Subscription, type SubscriptionId } from '../events/subscription.ts';

/** How long it may take to know every subscription. */
const READING_MS_MAX = 10_000;

/** How many workflows are looked at side by side. */
const LOOKS_MAX = 8;

/** How many subscriptions one signal removes. */
const IDS_MAX = 1_000;

/** Visibility is late: workflows that subscribed just before are found by a second look. */
const SECOND_LOOK_MS = 3_000;

export interface CareRequest {
  readonly source: string;
}

export interface CareDeps {
  readonly client: SourceClient;
  readonly subscribers: SubscriberClient;
  /** Whether workflows can be found by the sources that they subscribe to. */
  readonly isSearchable: () => Promise<boolean>;
}

export function createCareActivities({ client, subscribers, isSearchable }: CareDeps) {
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
      await sideBySide([...byWorkflow], async ([workflowId, held]) => {
        left.push(...(await leftBy(subscribers, workflowId, held)));
      });
      for (let at = 0; at < left.length; at += IDS_MAX) {
        await client.unregister(source, left.slice(at, at + IDS_MAX));
      }
      return left.length;
    },

    /** Asks the workflows that may hold subscriptions of the source to register them again. */
    async nexteventAskToRegister({ source }: CareRequest): Promise<string[]> {
      if (!(await isSearchable())) return [];
      const { runId = '' } = Context.current().info.workflowExecution ?? {};
      const asked = new Set<string>();
      const askNewlyFound = async (): Promise<void> => {
        for await (const workflowId of subscribers.list(source)) {
          heartbeat();
          if (asked.has(workflowId)) continue;
          if (await subscribers.askToRegister(workflowId, source)) asked.add(workflowId);
        }
      };
      await askNewlyFound();
      if (asked.size === 0 && !(await subscribers.hadWorkflow(source, runId))) return [];
      await sleep(SECOND_LOOK_MS);
      await askNewlyFound();
      return [...asked];
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

async function sideBySide<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const workNext = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) {
      heartbeat();
      await work(item);
    }
  };
  await Promise.all(Array.from({ length: LOOKS_MAX }, workNext));
}
