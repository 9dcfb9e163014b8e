// How tests post events whose arrival they can rely on, and look at what a source holds
// and at what a workflow's history says.

import { randomUUID } from 'node:crypto';

import type { Client, WorkflowHandle } from '@temporalio/client';
import { tsToMs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';

import type { SourceClient, SourceDescription } from '../dispatch/source-client.ts';
import type { Subscription } from '../events/subscription.ts';
import {
  changesQuery,
  SOURCE_TASK_QUEUE,
  SOURCE_WORKFLOW_TYPE,
  sourceWorkflowId,
  type EventBatch,
} from '../workflows/messages.ts';
import type { SourceInput } from '../workflows/source-records.ts';
import { postUntilAccepted, until, UNTIL_MS_MAX, type Posted, type TestApp } from './harness.ts';
import { PatientSource } from './patient-source.ts';
import { goOnSignal } from './workflows/stage.ts';

const { EventType } = proto.temporal.api.enums.v1;

/**
 * Does it once for each key: a task that is executed again asks for it again, by which time the
 * subscription that it was to come before has long been made.
 */
export function oncePerKey<T>(act: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const done = new Map<string, Promise<T>>();
  return (key) => {
    const doing = done.get(key) ?? act(key);
    done.set(key, doing);
    return doing;
  };
}

/** Tells a workflow that waits for it to go on. */
export function goOn(handle: WorkflowHandle): Promise<void> {
  return handle.signal(goOnSignal);
}

/** Posts JSON, again if need be, and waits until the event is with every workflow that wants it. */
export async function deliver(
  app: TestApp,
  source: string,
  ...[body, id]: [body: unknown, id?: string]
): Promise<Posted> {
  const event = { source, body, id: id ?? randomUUID() };
  const posted = await postUntilAccepted([app.ingress.url], event);
  if (posted.queued) await untilDispatched(app, source);
  return posted;
}

/** The workflow that a trigger has started with an event; the answer for a queued one names none. */
export function startedBy(app: TestApp, trigger: string, { id }: Posted): WorkflowHandle {
  return app.client.workflow.getHandle(`${trigger}/${id}`);
}

/** Waits until nothing is in the backlog of a source: its events are where they have to go. */
export async function untilDispatched(app: TestApp, source: string): Promise<void> {
  await until(`the backlog of ${source} is empty`, async () => {
    const held = await heldBy(app.client, source).catch(() => undefined);
    return held?.backlog === 0;
  });
}

/**
 * Posts events that say that they are for `warmUp`, until one is not queued and the source has
 * nothing to do: the ingress knows of all subscriptions now, and needs no worker to know it.
 */
export async function warmUp(app: TestApp, source: string): Promise<void> {
  await until(`the ingress knows of the subscriptions of ${source}`, async () => {
    return !(await deliver(app, source, { warmUp: true })).queued;
  });
  await untilIdle(app, source);
}

/** The same, without an event, for the ingress or whoever else can tell. */
export async function untilKnown(
  app: TestApp,
  source: string,
  tell = (): Promise<unknown> =>
    app.ingress.inspection.subscriptions(source, { after: 0, limit: 0 }),
): Promise<void> {
  await until(`the subscriptions of ${source} are known`, async () => {
    return (await tell()) !== undefined;
  });
  await untilIdle(app, source);
}

/** Waits until a source has nothing to do: whoever knows of its subscriptions needs no worker. */
async function untilIdle(app: TestApp, source: string): Promise<void> {
  await until(`${source} has nothing to do`, async () => {
    const { raw } = await app.client.workflow.getHandle(sourceWorkflowId(source)).describe();
    return !raw.pendingWorkflowTask;
  });
}

/** Stops the worker, and leaves something in the source that nobody is there to take up. */
export async function leaveAlone(app: TestApp, source: string): Promise<void> {
  await app.stopWorker();
  await new PatientSource(app.client).unregister(source, [randomUUID()]);
}

export interface InOneTask {
  readonly source: string;
  readonly handle: WorkflowHandle;
  /** Of the events. */
  readonly ids: readonly string[];
  readonly body: unknown;
}

/**
 * Posts events while no worker is there, and tells a workflow to go on when half of them are: all
 * come to it in one task, because the ingress knows of its subscriptions and signals it.
 *
 * @returns `false` if the machine was too busy for that, and one was queued
 */
export async function sendInOneTask(app: TestApp, given: InOneTask): Promise<boolean> {
  const { source, handle, ids, body } = given;
  await warmUp(app, source);
  await app.stopWorker();
  const posted: Posted[] = [];
  try {
    for (const [index, id] of ids.entries()) {
      if (index === ids.length / 2) await goOn(handle);
      posted.push(await postUntilAccepted([app.ingress.url], { source, body, id }));
    }
  } finally {
    await app.startWorker();
    await untilDispatched(app, source);
  }
  return posted.every(({ queued, signalled }) => !queued && signalled === 1);
}

/** The filter of a subscription that gets no event of `warmUp`. */
export const NO_WARM_UP = '!has(data.body.json.warmUp)';

export interface Held {
  readonly version: number;
  readonly subscriptions: readonly Subscription[];
  /** How many events wait in its backlog. */
  readonly backlog: number;
}

/** Starts a source that has no more than so much in memory, and continues as new often. */
export async function startLittleSource(
  client: Client,
  source: string,
  input: Partial<SourceInput> = {},
): Promise<void> {
  const little = { isFirst: true, hotBytesMax: 64 * 1024, signalsPerRun: 20, ...input } as const;
  await client.workflow.start(SOURCE_WORKFLOW_TYPE, {
    workflowId: sourceWorkflowId(source),
    taskQueue: SOURCE_TASK_QUEUE,
    args: [{ source, ...little }],
    memo: { version: 0, backlog: 0, stateBytes: 0 },
  });
}

/** Waits until a workflow is in another run than its first. */
export async function untilContinued(handle: WorkflowHandle): Promise<void> {
  await until(`${handle.workflowId} has continued as new`, async () => {
    const { raw } = await handle.describe();
    const { firstRunId, execution } = raw.workflowExecutionInfo ?? {};
    return firstRunId !== execution?.runId;
  });
}

/** It may first merge all that a source of a hundred thousand holds, on a busy machine. */
const NEXT_RUN_MS_MAX = 2 * UNTIL_MS_MAX;

/** How long a source that has nothing to take is left alone, before it is sent one more signal. */
const REMINDER_MS = 1_000;

/** Waits until a source is in another run than this one, and has taken all that it was sent. */
export function untilNextRun(
  client: SourceClient,
  source: string,
  runId: string | undefined,
): Promise<SourceDescription> {
  let remindedAt = performance.now();
  return until(
    `${source} has taken all, and continued as new`,
    async () => {
      const found = await client.describe(source).catch(() => undefined);
      if (found === undefined || found.isPending) return undefined;
      if (found.runId !== runId) return found;
      // A run that had only just begun ends no sooner than with its next signal; one that moves what it
      // holds to a segment ends after that, which more signals would only hold up.
      if (performance.now() - remindedAt < REMINDER_MS) return undefined;
      remindedAt = performance.now();
      await client.unregister(source, [randomUUID()]);
      return undefined;
    },
    NEXT_RUN_MS_MAX,
  );
}

/** What a source has in memory, as it tells everybody who asks. */
export async function heldBy(client: Client, source: string): Promise<Held> {
  const handle = client.workflow.getHandle(sourceWorkflowId(source));
  const changes = await handle.query(changesQuery, {
    firstRunId: '',
    since: 0,
    readsSegments: true,
  });
  return { version: changes.version, subscriptions: changes.added, backlog: changes.backlog };
}

/** The kinds of events in the history of a workflow, in order. */
export async function historyOf(handle: WorkflowHandle): Promise<string[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).map(({ eventType }) =>
    (EventType[eventType ?? 0] ?? '').replace('EVENT_TYPE_', '').toLowerCase(),
  );
}

/** Waits until a workflow task has begun with what a workflow was signalled last. */
export async function untilBegun(handle: WorkflowHandle): Promise<void> {
  await until(`a task of ${handle.workflowId} has begun with its signal`, async () => {
    const history = await historyOf(handle);
    const signalled = history.lastIndexOf('workflow_execution_signaled');
    return signalled !== -1 && signalled < history.lastIndexOf('workflow_task_started');
  });
}

/** The signals with events of subscriptions that a workflow was sent, oldest first. */
export async function signalsTo(handle: WorkflowHandle) {
  const { events } = await handle.fetchHistory();
  return (events ?? []).flatMap(({ eventTime, workflowExecutionSignaledEventAttributes }) => {
    const data = workflowExecutionSignaledEventAttributes?.input?.payloads?.[0]?.data;
    if (!data) return [];
    const batch = JSON.parse(Buffer.from(data).toString()) as EventBatch;
    const ids = batch.events.map(({ event }) => event.id);
    return { at: tsToMs(eventTime), bytes: data.length, ids };
  });
}

/** How many events of a kind are in the history. */
export function count(history: readonly string[], kind: string): number {
  return history.filter((candidate) => candidate === kind).length;
}
