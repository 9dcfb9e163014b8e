// What a running workflow has subscribed to, as its sources know it.

import { WorkflowNotFoundError, type Client, type WorkflowHandle } from '@temporalio/client';

import { SourceClient } from '../dispatch/source-client.ts';
import type { Subscription } from '../events/subscription.ts';
import type { Changes } from '../workflows/messages.ts';
import { WaitError } from './errors.ts';
import { until, type UntilOptions } from './until.ts';

/** How long a source may take to say what it holds, in milliseconds. */
const QUERY_MS_MAX = 5_000;

/** What to wait for. */
export interface WaitForSubscriptionsOptions extends UntilOptions {
  /**
   * How many subscriptions there must be, at least.
   *
   * @default 1
   */
  readonly count?: number;
  /**
   * The source to which they must be.
   *
   * @default any source of the project
   */
  readonly source?: string;
}

/** A subscription that is durable: an event that is sent now reaches it, if the filter matches. */
export interface HeldSubscription {
  readonly source: string;
  readonly filter: string;
}

export interface SubscriptionsWanted extends UntilOptions {
  readonly sources: readonly string[];
  readonly count: number;
}

/** @throws WaitError if the workflow has ended, or once the time is over */
export async function waitForSubscriptions(
  client: Client,
  workflow: WorkflowHandle | string,
  { sources, count, timeoutMs }: SubscriptionsWanted,
): Promise<readonly HeldSubscription[]> {
  const workflowId = typeof workflow === 'string' ? workflow : workflow.workflowId;
  const wanted = `${workflowId} holds ${count} of the subscriptions to ${sources.join(', ')}`;
  const look = async () => {
    const run = await describeRun(client, workflowId);
    if (run === undefined) return undefined;
    if (run.status !== 'RUNNING') {
      throw new WaitError(`waited in vain until ${wanted}: it has ended (${run.status})`);
    }
    const held = await heldBy(client, { workflowId, firstRunId: run.firstRunId }, sources);
    return held.length >= count ? held : undefined;
  };
  return until(wanted, look, { timeoutMs });
}

interface Run {
  readonly status: string;
  readonly firstRunId: string;
}

/** `undefined` as long as it has not been started. */
async function describeRun(client: Client, workflowId: string): Promise<Run | undefined> {
  try {
    const { status, raw } = await client.workflow.getHandle(workflowId).describe();
    return { status: status.name, firstRunId: raw.workflowExecutionInfo?.firstRunId ?? '' };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

async function heldBy(
  client: Client,
  who: Pick<Subscription, 'workflowId' | 'firstRunId'>,
  sources: readonly string[],
): Promise<readonly HeldSubscription[]> {
  const sourceClient = new SourceClient(client);
  const ofSources = await Promise.all(
    sources.map(async (source) => {
      const held = await subscriptionsTo(sourceClient, source);
      return held
        .filter(({ workflowId }) => workflowId === who.workflowId)
        .filter(({ firstRunId }) => firstRunId === who.firstRunId)
        .map(({ filter }) => ({ source, filter }));
    }),
  );
  return ofSources.flat();
}

/** All that a source holds: none before anybody has subscribed, or while it can not be asked. */
async function subscriptionsTo(
  client: SourceClient,
  source: string,
): Promise<readonly Subscription[]> {
  const held: Subscription[] = [];
  try {
    let after: number | undefined = 0;
    while (after !== undefined) {
      const asked = { firstRunId: '', since: 0, after };
      const page: Changes = await client.changes(source, asked, QUERY_MS_MAX);
      held.push(...page.added);
      after = page.next;
    }
  } catch {
    // Nobody has subscribed yet, somebody else is asking, the worker comes only later: the next
    // look tells.
    return [];
  }
  return held;
}
