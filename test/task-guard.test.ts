// A worker that answers a query about a run that it does not have executes what has come since the
// last workflow task. If more has come by the time of the next one, the run must not go on from there.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { isGrpcDeadlineError, ServiceError, type WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';

import { listenerBundle, sourceBundle, userBundle } from '../testing/bundles.ts';
import { recordHistory, replayHistories } from '../testing/index.ts';
import { GONE_AHEAD } from '../workflows/messages.ts';
import { startServer, until, type TestServer } from './harness.ts';
import { historyOf } from './observe.ts';
import { countedQuery, countSignal } from './workflows/telling.ts';

const WORKFLOWS_PATH = fileURLToPath(new URL('workflows/telling.ts', import.meta.url));

/** So long the question and the signals have, to be with the server before there is a worker. */
const AHEAD_MS = 300;

/** Between signals. Of a task during which more than a hundred come the server wants to hear no more. */
const PAUSE_MS = 25;

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

test('A run that has gone ahead of its tasks to answer is forgotten, and replays', async () => {
  const failures: string[] = [];
  // Whether the worker gets the question before the task is not for the test to say.
  await until('a question has come before the task', async () => {
    const taskQueue = `ahead-${randomUUID()}`;
    const handle = await startTelling(taskQueue);
    const asking = ask(handle);
    await sleep(AHEAD_MS);
    await handle.signal(countSignal, false);
    const over = new AbortController();
    const signalling = signalUntil(over.signal, handle);
    const options = { taskQueue, maxConcurrentWorkflowTaskExecutions: 2 };
    const failure = await withWorker(options, async () => {
      const answer = await asking;
      over.abort();
      await signalling;
      await handle.signal(countSignal, true);
      await handle.result();
      return answer;
    });
    await replayHistories([await recordHistory(handle)], { workflowsPath: WORKFLOWS_PATH });
    if (failure !== undefined) failures.push(failure);
    return failures.length > 0;
  });
  assert.match(failures[0] ?? '', new RegExp(GONE_AHEAD));
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
    assert.ok(code.includes(GONE_AHEAD));
  }
});

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

async function signalUntil(over: AbortSignal, handle: WorkflowHandle): Promise<void> {
  while (!over.aborted) {
    await handle.signal(countSignal, false);
    await sleep(PAUSE_MS);
  }
}

/** Why there is no answer; `undefined` if there is one. */
async function ask(handle: WorkflowHandle): Promise<string | undefined> {
  try {
    await handle.query(countedQuery);
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
    workflowTaskPollerBehavior: { type: 'simple-maximum', maximum: 2 },
  });
  try {
    return await worker.runUntil(run);
  } finally {
    await connection.close();
  }
}
