import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import type { WorkflowHandle } from '@temporalio/client';

import {
  progressOf,
  startApp,
  startServer,
  until,
  untilSubscribed,
  type TestApp,
  type TestServer,
} from './harness.ts';
import { deliver, goOn, NO_WARM_UP, sendInOneTask, untilContinued, warmUp } from './observe.ts';
import { untilShown } from './rounds.ts';

const SOURCE = 'watched';

const MODULES: ReadonlyArray<readonly [whose: string, file: string]> = [
  ['of a user that await before they go on', 'async-interceptors.ts'],
  ['of OpenTelemetry', 'opentelemetry-interceptors.ts'],
];

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

for (const [whose, file] of MODULES) {
  describe(`Beside interceptors ${whose}`, { timeout: 900_000 }, () => {
    const held = new Set<string>();
    const released = new Set<string>();
    let app: TestApp;
    before(async () => {
      app = await startApp(server, {
        sources: [SOURCE],
        otherInterceptorModules: [fileURLToPath(new URL(`workflows/${file}`, import.meta.url))],
        // Where OpenTelemetry's interceptors send what they have measured.
        workerOptions: {
          sinks: { exporter: { export: { fn() {} } } },
          stickyQueueScheduleToStartTimeout: 100,
        },
        activities: {
          hold: async (name: string) => {
            held.add(name);
            await until(`${name} is released`, () => released.has(name));
          },
        },
      });
    });
    after(() => app.stop());

    test('a workflow takes every event, run after run', async () => {
      const [perRun, total] = [15, 60];
      const handle = await app.start('relay', { source: SOURCE, perRun, total });
      await untilSubscribed(handle, 1);
      const ids = Array.from({ length: total }, (_, index) => `${file} ${index}`);
      for (const id of ids) await deliver(app, SOURCE, {}, id);
      assert.deepEqual(await handle.result(), ids);
    });

    test('nothing is lost that comes in the task that continues as new', async () => {
      await untilShown('four came in one task', async (round) => {
        const filters = [`data.body.json.round == '${round}'`];
        const handle = await app.start('carry', { source: SOURCE, filters });
        await untilSubscribed(handle, 1);
        const ids = ['one', 'two', 'three', 'four'].map((id) => `${file} ${round} ${id}`);
        const given = { source: SOURCE, handle, ids, body: { round } };
        const isShown = await sendInOneTask(app, given);
        assert.deepEqual(await receivedAfter(handle), ids);
        return isShown;
      });
    });

    test('nothing is lost that comes while the task that continues as new goes on', async () => {
      const handle = await app.start('carryInLongTask', { source: SOURCE, filters: [NO_WARM_UP] });
      await until('the task waits', () => held.has(SOURCE));
      await warmUp(app, SOURCE);
      const ids = ['five', 'six', 'seven'].map((id) => `${file} ${id}`);
      for (const id of ids) await deliver(app, SOURCE, {}, id);
      released.add(SOURCE);
      assert.deepEqual(await receivedAfter(handle), ids);
    });
  });
}

/** What the next run takes, once it is told to. */
async function receivedAfter(handle: WorkflowHandle): Promise<string[]> {
  await untilContinued(handle);
  await goOn(handle);
  await handle.result();
  return (await progressOf(handle)).received.map(({ id }) => id);
}
