// A worker that answers a query about a run that it does not have executes what has come since the
// last workflow task. If more has come by the time of the next one, the run must not go on from there.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import {
  isGrpcDeadlineError,
  ServiceError,
  WorkflowUpdateFailedError,
  type Client,
  type WorkflowHandle,
} from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';

import { listenerBundle, sourceBundle, userBundle } from '../testing/bundles.ts';
import { recordHistory, replayHistories } from '../testing/index.ts';
import { GONE_AHEAD, HAD_GONE_AHEAD } from '../workflows/messages.ts';
import { startServer, until, type TestServer } from './harness.ts';
import { count, historyOf } from './observe.ts';
import {
  countedQuery,
  countSignal,
  refusedUpdate,
  STEP_COUNT,
  stepSignal,
} from './workflows/telling.ts';

const WORKFLOWS_PATH = fileURLToPath(new URL('workflows/telling.ts', import.meta.url));

/** So long the question and the signals have, to be with the server before there is a worker. */
const AHEAD_MS = 300;

/** Between signals. Of a task during which more than a hundred come the server wants to hear no more. */
const PAUSE_MS = 25;

/** A poll for a task ends at the server after a minute, or before the time that it is given. */
const POLL_MS_MAX = 70_000;
const POLL_MS_MIN = 3000;

/** So long the server waits for a worker that had the workflow, before it asks another. */
const SILENT_FOR = msToTs(10_000);

/** The server gives up a question for which nobody has come within ten seconds if it is not told. */
const ASK_MS_MAX = 60_000;

type TaskQueue = NonNullable<
  Parameters<Client['workflowService']['pollWorkflowTaskQueue']>[0]['taskQueue']
>;
const { TASK_QUEUE_KIND_STICKY: STICKY } = proto.temporal.api.enums.v1.TaskQueueKind;
const { WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE: UNHANDLED_FAILURE } =
  proto.temporal.api.enums.v1.WorkflowTaskFailedCause;

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

test('A run that has gone ahead of its tasks to answer is forgotten, and replays', async () => {
  // Whether the worker gets the question before the task is not for the test to say.
  const failure = await until('a question has come before the task', async () => {
    const { handle, asking } = await startAsked();
    const over = new AbortController();
    const signalling = signalUntil(over.signal, handle);
    const found = await withWorker({ taskQueue: handle.workflowId }, async () => {
      const answer = await asking;
      over.abort();
      await signalling;
      await finish(handle);
      return answer;
    });
    await replay(handle);
    // Any other failure is one of a machine that is busy.
    return found?.includes(GONE_AHEAD) && found;
  });
  assert.match(failure, new RegExp(GONE_AHEAD));
});

test('A run that has gone ahead to the task of another worker is executed again', async () => {
  const asked = await startAskedLate();
  await untilExecutedAgain(asked, await asked.takeTask());
});

test('... and so is one that has gone ahead of a task that had failed', async () => {
  const asked = await startAskedLate();
  const refuse = await asked.takeTask();
  await refuse();
  await untilExecutedAgain(asked, await asked.takeTask());
});

test('No task fails of a run that is asked after each', async () => {
  const taskQueue = `asked-${randomUUID()}`;
  const activities = { wait: (ms: number) => sleep(ms) };
  const options = { workflowId: taskQueue, taskQueue, workflowTaskTimeout: 5000 };
  const handle = await server.client.workflow.start('takeSteps', options);
  await withWorker({ taskQueue, activities }, async () => {
    for (let taken = 0; taken < STEP_COUNT; taken += 1) {
      // Nothing else is under way, so that each question comes by itself.
      await until(`it has taken ${taken}`, async () => {
        return (await handle.query(countedQuery).catch(() => undefined)) === taken;
      });
      await assert.rejects(handle.executeUpdate(refusedUpdate), WorkflowUpdateFailedError);
      assert.equal(await handle.query(countedQuery), taken);
      await handle.signal(stepSignal);
    }
    await handle.result();
  });
  assert.equal(count(await historyOf(handle), 'workflow_task_failed'), 0);
});

test('A history that goes on after its last task replays', async () => {
  const handle = await startTelling(`tail-${randomUUID()}`);
  await handle.signal(countSignal, false);
  assert.equal((await historyOf(handle)).at(-1), 'workflow_task_scheduled');
  await replayHistories([await recordHistory(handle)], { workflowsPath: WORKFLOWS_PATH });
  await handle.terminate();
});

test('A workflow that was terminated before it took what had come answers no query', async () => {
  const taskQueue = `terminated-${randomUUID()}`;
  const handle = await startTelling(taskQueue);
  await handle.signal(countSignal, false);
  await handle.terminate();
  const failure = await withWorker({ taskQueue }, () => ask(handle));
  assert.match(failure ?? '', new RegExp(GONE_AHEAD));
});

test('The workflows of the library are guarded, too', async () => {
  for (const { code } of [await sourceBundle(), await listenerBundle()]) {
    // What only the guard has.
    assert.ok(code.includes('legacy_query'));
  }
});

interface Asked {
  readonly handle: WorkflowHandle;
  /** Why the question has no answer. */
  readonly asking: Promise<string | undefined>;
}

/** A workflow that was asked, and then was sent a signal, while there is no worker. */
async function startAsked(): Promise<Asked> {
  const handle = await startTelling(`ahead-${randomUUID()}`);
  const asking = ask(handle);
  await sleep(AHEAD_MS);
  await handle.signal(countSignal, false);
  return { handle, asking };
}

interface AskedLate extends Asked {
  /** As another worker, which does not do what it gets. What it returns lets the task fail. */
  takeTask(): Promise<() => Promise<void>>;
}

/**
 * A workflow that was asked, and then was sent a signal, where the question comes after the task:
 * a worker that had the workflow has got the question, and is silent.
 */
async function startAskedLate(): Promise<AskedLate> {
  const taskQueue = `late-${randomUUID()}`;
  const silent = { name: `${taskQueue}-silent`, kind: STICKY, normalName: taskQueue };
  const { workflow, workflowService, options } = server.client;
  const request = { namespace: options.namespace, identity: 'another' };
  const times = { workflowTaskTimeout: 60_000 };
  const handle = await workflow.start('tellCount', { workflowId: taskQueue, taskQueue, ...times });
  await workflowService.respondWorkflowTaskCompleted({
    ...request,
    taskToken: await poll({ name: taskQueue }),
    stickyAttributes: { workerTaskQueue: silent, scheduleToStartTimeout: SILENT_FOR },
  });
  // Of a queue that nobody has polled yet the server hopes for nothing.
  assert.equal((await poll(silent, POLL_MS_MIN).catch(noneInTime)).length, 0);
  const asking = ask(handle);
  assert.ok((await poll(silent)).length > 0, 'no question has come');
  await workflowService.resetStickyTaskQueue({ ...request, execution: { workflowId: taskQueue } });
  await handle.signal(countSignal, false);
  return {
    handle,
    asking,
    async takeTask() {
      const taskToken = await poll({ name: taskQueue });
      return async () => {
        const refusal = { ...request, taskToken, cause: UNHANDLED_FAILURE };
        await workflowService.respondWorkflowTaskFailed(refusal);
      };
    },
  };
}

/** The token of the task, or of the question, that a queue gives; an empty one if it gives none. */
async function poll(taskQueue: TaskQueue, withinMs = POLL_MS_MAX): Promise<Uint8Array> {
  const { connection, options, workflowService } = server.client;
  const request = { namespace: options.namespace, taskQueue, identity: 'another' };
  const { taskToken } = await connection.withDeadline(Date.now() + withinMs, () =>
    workflowService.pollWorkflowTaskQueue(request),
  );
  return taskToken;
}

/** The server may answer later than that it has nothing. */
function noneInTime(error: unknown): Uint8Array {
  if (!isGrpcDeadlineError(error)) throw error;
  return new Uint8Array();
}

/** A worker gets the question, then the task comes back to it. */
async function untilExecutedAgain(
  { handle, asking }: Asked,
  refuse: () => Promise<void>,
): Promise<void> {
  await withWorker({ taskQueue: handle.workflowId }, async () => {
    assert.equal(await asking, undefined);
    await handle.signal(countSignal, false);
    await refuse();
    await finish(handle);
  });
  await replay(handle);
  const { events } = await handle.fetchHistory();
  const failures = (events ?? []).flatMap(
    ({ workflowTaskFailedEventAttributes: failed }) => failed?.failure?.message ?? [],
  );
  assert.deepEqual(failures, [HAD_GONE_AHEAD]);
}

/** A workflow that has had its first task, of which no worker knows any more. */
function startTelling(taskQueue: string): Promise<WorkflowHandle> {
  return withWorker({ taskQueue, maxCachedWorkflows: 0 }, async () => {
    const options = { workflowId: taskQueue, taskQueue };
    const handle = await server.client.workflow.start('tellCount', options);
    await handle.signal(countSignal, false);
    await until('it has told', async () => (await handle.describe()).memo?.told === 1);
    return handle;
  });
}

async function finish(handle: WorkflowHandle): Promise<void> {
  await handle.signal(countSignal, true);
  await handle.result();
}

async function replay(handle: WorkflowHandle): Promise<void> {
  await replayHistories([await recordHistory(handle)], { workflowsPath: WORKFLOWS_PATH });
}

async function signalUntil(over: AbortSignal, handle: WorkflowHandle): Promise<void> {
  while (!over.aborted) {
    await handle.signal(countSignal, false);
    await sleep(PAUSE_MS);
  }
}

/** Why there is no answer; `undefined` if there is one. */
async function ask(handle: WorkflowHandle): Promise<string | undefined> {
  try {
    const deadline = Date.now() + ASK_MS_MAX;
    await server.client.withDeadline(deadline, () => handle.query(countedQuery));
    return undefined;
  } catch (error) {
    // The server gives up a question that no worker has taken in time.
    if (error instanceof ServiceError && isGrpcDeadlineError(error.cause)) return undefined;
    return `${String(error)}: ${String((error as Error).cause)}`;
  }
}

/** While a worker runs that polls for one task at a time. */
async function withWorker<T>(
  options: Partial<WorkerOptions> & { readonly taskQueue: string },
  run: () => Promise<T>,
): Promise<T> {
  const connection = await NativeConnection.connect({ address: server.address });
  const worker = await Worker.create({
    ...options,
    connection,
    workflowBundle: await userBundle(WORKFLOWS_PATH),
    maxConcurrentWorkflowTaskExecutions: 2,
    workflowTaskPollerBehavior: { type: 'simple-maximum', maximum: 2 },
  });
  try {
    return await worker.runUntil(run);
  } finally {
    await connection.close();
  }
}
