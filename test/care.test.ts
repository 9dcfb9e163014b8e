// What sources do of themselves: they drop subscriptions whose workflow ended without a word,
// and recover those that they held when somebody terminates them.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { SourceClient } from '../dispatch/source-client.ts';

import {
  SOURCE_TASK_QUEUE,
  SOURCE_WORKFLOW_TYPE,
  sourceWorkflowId,
} from '../workflows/messages.ts';
import {
  post,
  postUntilAccepted,
  startApp,
  startServer,
  until,
  untilSubscribed,
  type TestServer,
} from './harness.ts';
import { heldBy, untilDispatched } from './observe.ts';
import { receivedBy, startCollecting } from './received.ts';

const SWEEP_MS = 1_000;

describe('A source', () => {
  let server: TestServer;
  before(async () => {
    server = await startServer();
  });
  after(() => server.stop());

  test('where nothing happens drops subscriptions of workflows that were terminated or timed out', async () => {
    await startSource('swept');
    const app = await startApp(server, { sources: ['swept'] });
    try {
      const staying = await startCollecting(app, [['swept', '']]);
      const terminated = await startCollecting(app, [
        ['swept', ''],
        ['swept', 'data.body.json.n == 1'],
      ]);
      const timedOut = await app.client.workflow.start('collect', {
        workflowId: 'timed-out',
        taskQueue: app.taskQueue,
        args: [{ subscriptions: [['swept', '']] }],
        workflowExecutionTimeout: '30 seconds',
      });
      await untilSubscribed(timedOut, 1);
      await terminated.terminate();
      await until('the sweep has been', async () => {
        const held = await heldBy(app.client, 'swept').catch(() => undefined);
        return held?.subscriptions.every(({ workflowId }) => workflowId === staying.workflowId);
      });
      assert.equal((await timedOut.describe()).status.name, 'TIMED_OUT');
      const swept = await heldBy(app.client, 'swept');
      assert.equal(swept.subscriptions.length, 1);
      await app.post('swept', {}, 'one');
      await app.post('swept', {}, 'end');
      assert.deepEqual(await receivedBy(staying), ['one']);
    } finally {
      await app.stop();
    }
  });

  test('drops what a workflow held whose id another one has now', async () => {
    await startSource('reused');
    const app = await startApp(server, { sources: ['reused'] });
    try {
      const options = { workflowId: 'reused', taskQueue: app.taskQueue };
      const args = [{ subscriptions: [['reused', '']] }];
      const first = await app.client.workflow.start('collect', { ...options, args });
      await untilSubscribed(first, 1);
      await first.terminate();
      const second = await app.client.workflow.start('collect', {
        ...options,
        args: [{ subscriptions: [['reused', 'data.body.json.mine']] }],
      });
      await untilSubscribed(second, 1);
      const { subscribed } = await second.query<{ subscribed: string[] }>('progress');
      await app.post('reused', { mine: false }, 'not mine');
      await until('only the second is left', async () => {
        const held = await heldBy(app.client, 'reused').catch(() => undefined);
        return held?.subscriptions.map(({ id }) => id).join() === subscribed.join();
      });
      await app.post('reused', { mine: true }, 'mine');
      await app.post('reused', { mine: true }, 'end');
      assert.deepEqual(await receivedBy(second), ['mine']);
    } finally {
      await app.stop();
    }
  });

  test('that somebody terminates recovers its subscriptions, and no event is lost', async () => {
    const app = await startApp(server, { sources: ['recovered', 'other'] });
    try {
      const one = await startCollecting(app, [['recovered', '']]);
      const two = await startCollecting(app, [
        ['recovered', '!has(data.body.json.quiet)'],
        ['other', ''],
      ]);
      await app.post('recovered', {}, 'before');
      const source = app.client.workflow.getHandle(sourceWorkflowId('recovered'));
      await source.terminate('by mistake');
      const ids = ['after 1', 'after 2', 'after 3'];
      for (const id of ids) assert.equal((await app.post('recovered', {}, id)).status, 202);
      const late = await startCollecting(app, [['recovered', '']]);
      await until('it has recovered', async () => {
        const held = await heldBy(app.client, 'recovered').catch(() => undefined);
        return held?.subscriptions.length === 3;
      });
      await untilDispatched(app, 'recovered');
      assert.equal((await app.post('recovered', { quiet: true }, 'quiet')).status, 202);
      await app.post('other', {}, 'elsewhere');
      assert.equal((await app.post('recovered', {}, 'end')).status, 202);
      assert.deepEqual(await receivedBy(one), ['before', ...ids, 'quiet']);
      const atTwo = await receivedBy(two);
      assert.deepEqual(
        atTwo.filter((id) => id !== 'elsewhere'),
        ['before', ...ids],
      );
      assert.deepEqual(await receivedBy(late), ['quiet']);
    } finally {
      await app.stop();
    }
  });

  test('that somebody terminates, twice, while there is no worker has its backlog again', async () => {
    const source = 'backlog';
    const app = await startApp(server, {
      sources: [source],
      workerOptions: { maxCachedWorkflows: 0 },
    });
    try {
      const one = await startCollecting(app, [[source, '']]);
      await app.stopWorker();
      const handle = app.client.workflow.getHandle(sourceWorkflowId(source));
      await new SourceClient(app.client).unregister(source, [randomUUID()]);
      const ids = ['one', 'two', 'three', 'four'];
      for (const [index, id] of ids.entries()) {
        assert.deepEqual((await app.post(source, {}, id)).queued, true);
        if (index > 0) await handle.terminate('by mistake, and once more');
      }
      await app.startWorker();
      await postUntilAccepted([app.ingress.url], { source, id: 'end', body: {} });
      assert.deepEqual(await receivedBy(one), ids);
    } finally {
      await app.stop();
    }
  });

  test('that is terminated recovers when an ingress starts, without an event', async () => {
    const app = await startApp(server, { sources: ['restarted'] });
    try {
      const one = await startCollecting(app, [['restarted', '']]);
      await app.client.workflow.getHandle(sourceWorkflowId('restarted')).terminate();
      const ingress = await app.startIngress();
      await until('it has recovered', async () => {
        const held = await heldBy(app.client, 'restarted').catch(() => undefined);
        return held?.subscriptions.length === 1;
      });
      await until('its events go to workflows at once', async () => {
        return (await post(ingress.url, { source: 'restarted', body: {} })).signalled === 1;
      });
      await post(ingress.url, { source: 'restarted', body: {}, id: 'end' });
      assert.notEqual((await receivedBy(one)).length, 0);
    } finally {
      await app.stop();
    }
  });

  async function startSource(source: string): Promise<void> {
    await server.client.workflow.start(SOURCE_WORKFLOW_TYPE, {
      workflowId: sourceWorkflowId(source),
      taskQueue: SOURCE_TASK_QUEUE,
      args: [{ source, isFirst: true, sweepMs: SWEEP_MS }],
      memo: { version: 0, backlog: 0, stateBytes: 0 },
    });
  }
});
