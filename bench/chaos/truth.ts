// The separate pass: what Temporal has when everything is over.

import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import proto from '@temporalio/proto';

import type { SourceClient } from '../../dispatch/source-client.ts';
import type { Subscription } from '../../events/subscription.ts';
import { sleep } from './clock.ts';
import { SOURCES, TRIGGERS, type SourceName } from './filters.ts';
import type {
  PostedEvent,
  RegisteredSubscription,
  SubscriberRecord,
  TriggerStart,
} from './records.ts';
import type { Chain } from './subscribers.ts';
import { describeChain, persistently } from './temporal.ts';
import { lifeQuery } from './workflows.ts';

const { HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT: CLOSE_EVENT } =
  proto.temporal.api.enums.v1.HistoryEventFilterType;

/** How many workflows are read at once. */
const READERS = 4;

/** How often it is looked whether a backlog is empty, and a list complete. */
const LOOK_MS = 250;

/** How long a list must stay as it is to be complete: it follows what happens with a delay. */
const LIST_LOOKS = 12;

/** Waits until no source has anything to do; says which have, once the time is over. */
export async function untilIdle(sources: SourceClient, deadline: number): Promise<string[]> {
  const busy: string[] = [];
  for (const source of SOURCES) {
    for (;;) {
      const described = await sources
        .describe(source)
        .catch(() => ({ isPending: true, memo: undefined }));
      if (described === undefined) break;
      if (!described.isPending && described.memo?.backlog === 0) break;
      if (performance.now() > deadline) {
        busy.push(`${source} to be idle: ${JSON.stringify(described)}`);
        break;
      }
      await sleep(LOOK_MS);
    }
  }
  return busy;
}

/** What each subscriber has received, by its own account. */
export async function readSubscribers(
  client: Client,
  chains: readonly Chain[],
): Promise<SubscriberRecord[]> {
  const rest = [...chains];
  const records: SubscriberRecord[] = [];
  const readAll = async (): Promise<void> => {
    for (let chain = rest.shift(); chain; chain = rest.shift()) {
      records.push(await readSubscriber(client, chain));
    }
  };
  await Promise.all(Array.from({ length: READERS }, readAll));
  return records;
}

async function readSubscriber(client: Client, chain: Chain): Promise<SubscriberRecord> {
  const { workflowId } = chain;
  const runId = await lastRunOf(client, chain);
  const handle = client.workflow.getHandle(workflowId, runId);
  const life = await persistently(client, () => handle.query(lifeQuery));
  const received = life.received.map(([subscription, event]) => ({
    subscription: life.subscriptions[subscription] ?? '',
    event,
  }));
  return { ...chain, received };
}

/** Follows the runs of a workflow, each of which says which it was continued as. */
async function lastRunOf(client: Client, { workflowId, firstRunId }: Chain): Promise<string> {
  const { namespace } = client.options;
  for (let runId = firstRunId; ;) {
    const { history } = await persistently(client, () =>
      client.workflowService.getWorkflowExecutionHistory({
        namespace,
        execution: { workflowId, runId },
        historyEventFilterType: CLOSE_EVENT,
      }),
    );
    const last = history?.events?.at(-1);
    const next = last?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
    if (!next) return runId;
    runId = next;
  }
}

/** What the triggers have started, by workflow id. */
export async function readStarts(
  client: Client,
  events: readonly PostedEvent[],
): Promise<TriggerStart[]> {
  const listed = await untilComplete(client);
  const wanted = events.filter(({ body, source }) => body.starts && TRIGGERS[source]);
  const ids = new Set([
    ...listed.keys(),
    ...wanted.map(({ source, id }) => `${TRIGGERS[source]}/${id}`),
  ]);
  const starts: TriggerStart[] = [];
  for (const workflowId of ids) {
    const runIds = listed.get(workflowId) ?? (await runsOf(client, workflowId));
    starts.push({ workflowId, runIds });
  }
  return starts;
}

/** The list follows the truth with a delay: it is complete when it has stopped to grow. */
async function untilComplete(client: Client): Promise<ReadonlyMap<string, string[]>> {
  let size = -1;
  for (let looks = 0; ; looks += 1) {
    const runs = await persistently(client, () => listStarts(client));
    const count = [...runs.values()].flat().length;
    if (count !== size) looks = 0;
    if (looks >= LIST_LOOKS) return runs;
    size = count;
    await sleep(LOOK_MS);
  }
}

async function listStarts(client: Client): Promise<Map<string, string[]>> {
  const runs = new Map<string, string[]>();
  for await (const { workflowId, runId } of client.workflow.list({
    query: "WorkflowType = 'startedByEvent'",
  })) {
    runs.set(workflowId, [...(runs.get(workflowId) ?? []), runId]);
  }
  return runs;
}

async function runsOf(client: Client, workflowId: string): Promise<string[]> {
  try {
    return [(await describeChain(client, workflowId)).firstRunId];
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return [];
    throw error;
  }
}

/** Every subscription that a source holds, and whether its workflow runs. */
export async function readRegistered(
  client: Client,
  sources: SourceClient,
): Promise<RegisteredSubscription[]> {
  const registered: RegisteredSubscription[] = [];
  for (const source of SOURCES) {
    for (const { id, filter, workflowId, firstRunId } of await snapshotOf(
      client,
      sources,
      source,
    )) {
      const running = await describeChain(client, workflowId);
      const isRunning = running.isRunning && running.firstRunId === firstRunId;
      registered.push({ id, source, filter, workflowId, firstRunId, isRunning });
    }
  }
  return registered;
}

async function snapshotOf(
  client: Client,
  sources: SourceClient,
  source: SourceName,
): Promise<Subscription[]> {
  const asked = { firstRunId: '', since: 0 };
  let page = await persistently(client, () => sources.changes(source, asked));
  const subscriptions = [...page.added];
  while (page.next !== undefined) {
    const after = page.next;
    page = await persistently(client, () => sources.changes(source, { ...asked, after }));
    subscriptions.push(...page.added);
  }
  return subscriptions;
}
