// Records the histories that `replay.test.ts` replays. Run it by hand when there is
// something new to keep; a history that is kept is never recorded again:
//
//   node --conditions=source --import tsx test/histories/record.ts

import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';

import { SOURCE_TASK_QUEUE, SOURCE_WORKFLOW_TYPE } from '../../workflows/messages.ts';
import { startApp, startServer, until, untilReceived, untilSubscribed } from '../harness.ts';

const server = await startServer();
// A source that continues as new soon, so that this is in its history.
await server.client.workflow.start(SOURCE_WORKFLOW_TYPE, {
  workflowId: 'nextevent/source/recorded',
  taskQueue: SOURCE_TASK_QUEUE,
  args: [{ source: 'recorded', signalsPerRun: 20 }],
});
const app = await startApp(server, {
  sources: ['recorded'],
  triggers: [{ name: 'started', source: 'recorded', filter: 'data.body.json.start', workflow: 'returnEvent' }],
});

await recordListener();
await recordCancelled();
await recordBacklog();

await app.stop();
await server.stop();

async function recordListener(): Promise<void> {
  const listener = await app.start('listen', {
    subscriptions: [
      ['recorded', "event_type == 'post' && data.body.json.n > 0"],
      ['recorded', ''],
    ],
    count: 6,
  });
  await untilSubscribed(listener, 2);
  for (const n of [1, 2, 3]) await app.post('recorded', { n }, `n${n}`);
  await listener.result();
  await keep('listener', listener.workflowId);
  const { started } = await app.post('recorded', { start: true }, 'start');
  const [workflowId = ''] = started;
  await server.client.workflow.getHandle(workflowId).result();
  await keep('triggered', workflowId);
}

async function recordCancelled(): Promise<void> {
  const waiting = await app.start('listen', { subscriptions: [['recorded', '']], count: 1 });
  await untilSubscribed(waiting, 1);
  await waiting.cancel();
  await waiting.result().catch(() => {});
  await keep('cancelled', waiting.workflowId);
}

/** Events that wait for a worker, and a source that continues as new. */
async function recordBacklog(): Promise<void> {
  const source = server.client.workflow.getHandle('nextevent/source/recorded');
  const { runId } = await source.describe();
  const waiting = await app.start('listen', { subscriptions: [['recorded', '']], count: 3 });
  await untilSubscribed(waiting, 1);
  await app.stopWorker();
  // A registration that nobody has seen yet makes the ingress use the backlog.
  const late = await app.start('listen', { subscriptions: [['recorded', '']], count: 1 });
  await source.signal('unregister', { ids: ['00000000-0000-8000-8000-000000000000'] });
  for (const n of [7, 8, 9]) await app.post('recorded', { n }, `n${n}`);
  await app.startWorker();
  await untilReceived(waiting, 3);
  await untilSubscribed(late, 1);
  await until('the source has continued as new', async () => {
    await (await app.start('listen', { subscriptions: [['recorded', '']], count: 0 })).result();
    return (await source.describe()).runId !== runId;
  });
  await keep('source', source.workflowId, runId);
  await keep('stored-event', 'nextevent/event/recorded/n7');
}

async function keep(name: string, workflowId: string, runId?: string): Promise<void> {
  const path = fileURLToPath(new URL(`${name}.json`, import.meta.url));
  if (existsSync(path)) return;
  const history = await server.client.workflow.getHandle(workflowId, runId).fetchHistory();
  // Who did it is of no interest, and names a machine.
  const json = JSON.stringify(JSON.parse(historyToJSON(history)), (key, value: unknown) =>
    key === 'identity' ? 'recorder' : value,
  );
  await writeFile(path, `${json}\n`);
}
