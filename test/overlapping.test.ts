// What local activities give comes to the code one after the other at first, as they end, but on a replay
// in one piece: with what other ones give, and with what their workflow task began with.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { recordHistory, replayHistories } from '../testing/index.ts';
import { startApp, startServer, until, untilSubscribed } from './harness.ts';
import type { TestApp, TestServer } from './harness.ts';
import { goOn, historyOf, untilBegun } from './observe.ts';
import { untilShown } from './rounds.ts';
import { signalEvents } from './signalling.ts';
import type { OverlapInput } from './workflows/overlapping.ts';

const WORKFLOWS_PATH = fileURLToPath(new URL('workflows/replayed.ts', import.meta.url));

const SOURCE = 'overlapping';
const SOURCES = [SOURCE, 'beside', 'further'];

/** In which order local activities end is the machine's. */
const ROUNDS = 5;

/** Time for the code to go on with what came, before the activity ends. */
const BEFORE_MS = 500;

/** The ids of the workflows whose activity is to end, however often it is made. */
const released = new Set<string>();

let server: TestServer;
let app: TestApp;
before(async () => {
  server = await startServer();
  app = await startApp(server, {
    sources: [...SOURCES, 'fed'],
    triggers: [
      {
        name: 'fed',
        source: 'fed',
        filter: '',
        workflow: 'readFedBeside',
        workflowId: () => 'the one',
      },
    ],
    activities: { holdUp, note: async () => {}, pause: async (ms: number) => sleep(ms) },
  });
});
after(async () => {
  await app?.stop();
  await server?.stop();
});

const ORDERS = {
  waiting: ['event', 'activity'],
  asking: ['event', 'activity'],
  later: ['activity', 'follower'],
  collecting: ['one', 'two', 'collected 2', 'activity'],
} as const;

const WHAT: Readonly<Record<OverlapInput['kind'], string>> = {
  waiting: 'comes',
  asking: 'is there when it is asked for',
  later: 'is asked for when the activity has ended',
  collecting: 'comes with another one, beside who takes what is read',
};

for (const kind of ['waiting', 'asking', 'later', 'collecting'] as const) {
  test(`An event that ${WHAT[kind]}, beside a local activity, is replayed as it was`, async () => {
    await untilShown('both were in one workflow task', async () => {
      const workflowId = randomUUID();
      const { taskQueue } = app;
      const args = [{ source: SOURCE, kind }];
      const options = { workflowId, taskQueue, args, workflowTaskTimeout: '3 seconds' } as const;
      const handle = await app.client.workflow.start('overlap', options);
      const { subscribed } = await untilSubscribed(handle, 1);
      await signalEvents(handle, subscribed, [
        ['one', 0],
        ['two', 0],
      ]);
      if (kind === 'asking') await goOn(handle);
      await untilBegun(handle);
      await sleep(BEFORE_MS);
      released.add(workflowId);
      const order = await handle.result();
      await replayHistories([await recordHistory(handle)], { workflowsPath: WORKFLOWS_PATH });
      assert.deepEqual(order, ORDERS[kind]);
      // The end of a task between them tells that they were in two.
      const history = await historyOf(handle);
      const signalled = history.indexOf('workflow_execution_signaled');
      const noted = history.indexOf('activity_task_scheduled');
      const ends = history.slice(signalled, noted).filter((event) => event.endsWith('_completed'));
      return ends.length === 1;
    });
  });
}

test('Code that subscribes and waits for several sources side by side is replayed as it was', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const handle = await app.start('subscribeBeside', SOURCES);
    await handle.result();
    await replayHistories([await recordHistory(handle)], { workflowsPath: WORKFLOWS_PATH });
  }
});

test('A local activity that has ended, and whose result waits, can be cancelled', async () => {
  const handle = await app.start('cancelEnded', SOURCE);
  assert.match((await handle.result()) as string, /^(ended|cancelled)$/);
  assert.ok(!(await historyOf(handle)).includes('workflow_task_failed'));
  await replayHistories([await recordHistory(handle)], { workflowsPath: WORKFLOWS_PATH });
});

test('What a trigger has fed, beside local activities, is replayed as it was', async () => {
  await app.stopWorker();
  for (const id of ['one', 'two']) await app.post('fed', {}, id);
  await app.startWorker();
  const handle = app.client.workflow.getHandle('fed/the one');
  await handle.result();
  await replayHistories([await recordHistory(handle)], { workflowsPath: WORKFLOWS_PATH });
});

async function holdUp(workflowId: string): Promise<void> {
  await until(`${workflowId} is released`, () => released.has(workflowId));
}
