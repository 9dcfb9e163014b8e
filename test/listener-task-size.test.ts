// How much a listener schedules in one workflow task when a lot has come while no worker was there:
// the server takes no more than 4 MiB at once, and ends or blocks the workflow that sends it more.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type proto from '@temporalio/proto';

import { sideBySide } from '../dispatch/side-by-side.ts';
import { replayHistories, type RecordedHistory } from '../testing/index.ts';
import { startApp, startServer, until, type TestApp, type TestServer } from './harness.ts';
import { startListener, TO_THIS_MACHINE } from './listeners.ts';
import { NO_WARM_UP, warmUp } from './observe.ts';
import { Receiver } from './receiving.ts';

const WORKFLOWS = fileURLToPath(new URL('workflows/index.ts', import.meta.url));

type History = proto.temporal.api.history.v1.IHistory;

/** Far below what the server takes, as a task has more in it than what is scheduled. */
const TASK_BYTES_MAX = 2 * 1024 * 1024;

describe('what a listener schedules in one task', () => {
  let server: TestServer;
  let app: TestApp;
  /** It takes answers of any size: pages of these histories are larger than others do. */
  let connection: Connection;

  before(async () => {
    server = await startServer();
    const channelArgs = { 'grpc.max_receive_message_length': -1 };
    connection = await Connection.connect({ address: server.address, channelArgs });
    const sources = ['many', 'large'];
    app = await startApp(server, { sources, outbound: TO_THIS_MACHINE });
  });

  after(async () => {
    await connection?.close();
    await app?.stop();
    await server?.stop();
  });

  test('is bounded when many events have come', async () => {
    await assertBounded('many', 400, 'x'.repeat(15_000));
  });

  test('is bounded when events have come that are as large as can be', async () => {
    // 1,000,000 bytes of a body, which are kept in base64 because they would be longer as JSON.
    await assertBounded('large', 5, '"'.repeat(499_990));
  });

  async function assertBounded(source: string, events: number, text: string): Promise<void> {
    await using receiver = await Receiver.start();
    const wanted = { sources: [source], filter: NO_WARM_UP, url: receiver.url };
    const { handle } = await startListener(app, wanted);
    await warmUp(app, source);
    await app.stopWorker();
    const ids = Array.from({ length: events }, (_, index) => `${source}-${index}`);
    await sideBySide(ids, 8, async (id) => {
      await app.post(source, { text }, id);
    });
    await app.startWorker();
    await until('all are delivered', async () => {
      assert.equal((await handle.describe()).status.name, 'RUNNING');
      return receiver.received.length >= events;
    });
    assert.deepEqual(receiver.ids.toSorted(), ids.toSorted());
    const histories = await historiesOf(handle);
    const scheduled = histories.flatMap(scheduledByTasks);
    const total = scheduled.reduce((sum, bytes) => sum + bytes, 0);
    assert.ok(total > 2 * TASK_BYTES_MAX, `${total} bytes are too few to show anything`);
    const most = Math.max(...scheduled);
    assert.ok(most <= TASK_BYTES_MAX, `${most} bytes in one task`);
    await replayHistories(histories.map(toRecorded), { workflowsPath: WORKFLOWS });
  }

  /** Of all runs, the newest first. */
  async function historiesOf({ workflowId }: WorkflowHandle): Promise<History[]> {
    const { workflow } = new Client({ connection });
    const histories: History[] = [];
    let { runId } = await workflow.getHandle(workflowId).describe();
    while (runId !== '') {
      const history = await workflow.getHandle(workflowId, runId).fetchHistory();
      histories.push(history);
      const started = history.events?.[0]?.workflowExecutionStartedEventAttributes;
      runId = started?.continuedExecutionRunId ?? '';
    }
    return histories;
  }
});

/** The bytes of what activities are given, for each task that has scheduled some. */
function scheduledByTasks({ events }: History): readonly number[] {
  const tasks = new Map<string, number>();
  for (const { activityTaskScheduledEventAttributes: activity } of events ?? []) {
    if (!activity) continue;
    const task = String(activity.workflowTaskCompletedEventId);
    const payloads = activity.input?.payloads ?? [];
    const bytes = payloads.reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
    tasks.set(task, (tasks.get(task) ?? 0) + bytes);
  }
  return [...tasks.values()];
}

function toRecorded(history: History): RecordedHistory {
  return JSON.parse(historyToJSON(history)) as RecordedHistory;
}
