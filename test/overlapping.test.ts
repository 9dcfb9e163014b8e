// A local activity that takes longer than a workflow task may: what it gives comes to the code by itself
// at first, but on a replay in one piece with what its task began with.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { recordHistory, replayHistories } from '../testing/index.ts';
import { startApp, startServer, untilSubscribed } from './harness.ts';
import type { TestApp, TestServer } from './harness.ts';
import { goOn, historyOf, untilBegun } from './observe.ts';
import { untilShown } from './rounds.ts';
import { signalEvents } from './signalling.ts';

const WORKFLOWS_PATH = fileURLToPath(new URL('workflows/replayed.ts', import.meta.url));

const SOURCE = 'overlapping';

/** Time for the code to go on with what came, before the activity ends. */
const BEFORE_MS = 500;

/** By the ids of the workflows that wait for them. */
const releases = new Map<string, () => void>();

let server: TestServer;
let app: TestApp;
before(async () => {
  server = await startServer();
  app = await startApp(server, {
    sources: [SOURCE],
    activities: { holdUp, note: async () => {} },
  });
});
after(async () => {
  await app?.stop();
  await server?.stop();
});

for (const isQueued of [false, true]) {
  const what = isQueued ? 'Code that takes an event which is there' : 'An event';
  test(`${what} goes on before a local activity does, on a replay too`, async () => {
    await untilShown('both were in one workflow task', async () => {
      const workflowId = randomUUID();
      const { taskQueue } = app;
      const args = [{ source: SOURCE, isQueued }];
      const options = { workflowId, taskQueue, args, workflowTaskTimeout: '3 seconds' } as const;
      const handle = await app.client.workflow.start('overlap', options);
      const { subscribed } = await untilSubscribed(handle, 1);
      await signalEvents(handle, subscribed, [['one', 0]]);
      if (isQueued) await goOn(handle);
      await untilBegun(handle);
      await sleep(BEFORE_MS);
      releases.get(workflowId)?.();
      const order = await handle.result();
      const history = await historyOf(handle);
      const [event, activity] = [
        history.indexOf('timer_started'),
        history.indexOf('activity_task_scheduled'),
      ];
      await replayHistories([await recordHistory(handle)], { workflowsPath: WORKFLOWS_PATH });
      // The end of a task between them tells that they were in two.
      if (history.slice(event, activity).includes('workflow_task_completed')) return false;
      assert.deepEqual(order, ['event', 'activity']);
      return true;
    });
  });
}

/** Until it is released. */
function holdUp(workflowId: string): Promise<void> {
  return new Promise((resolve) => releases.set(workflowId, resolve));
}
