// What sources do of themselves: they drop subscriptions whose workflow ended without a word,
// and recover those that they held when somebody terminates them.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { MockActivityEnvironment } from '@temporalio/testing';

import { createCareActivities } from '../activities/care.ts';
import { SourceClient } from '../dispatch/source-client.ts';
import { readSubscriptions } from '../dispatch/source-reading.ts';
import { SourceRuns } from '../dispatch/source-runs.ts';
import { SubscriberClient, type SubscriberDescription } from '../dispatch/subscriber-client.ts';
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
import { PatientSource } from './patient-source.ts';
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

  test('revives what is suspended though its workflow takes more, as its run registered it', async () => {
    await startSource('revived');
    const app = await startApp(server, { sources: ['revived'] });
    try {
      const collecting = await startCollecting(app, [['revived', '']]);
      const [registered] = (await heldBy(app.client, 'revived')).subscriptions;
      assert.ok(registered?.run);
      const ids = [registered.id];
      await new SourceClient(app.client).suspend('revived', { ids, undeliverable: 0 });
      const revived = await until('the sweep has been', async () => {
        const held = await heldBy(app.client, 'revived').catch(() => undefined);
        return held?.subscriptions.find(({ resumed, suspended }) => resumed && !suspended);
      });
      assert.equal(revived.run, registered.run);
      await app.post('revived', {}, 'one');
      await app.post('revived', {}, 'end');
      assert.deepEqual(await receivedBy(collecting), ['one']);
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
      await new PatientSource(app.client).unregister(source, [randomUUID()]);
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

  test('that somebody terminates without a worker recovers more than an answer can have', async () => {
    const source = 'large';
    const app = await startApp(server, { sources: [source] });
    try {
      const client = new PatientSource(app.client);
      await startCollecting(app, [[source, '']]);
      await app.stopWorker();
      const registrations = Array.from({ length: 1_300 }, (_, index) => ({
        id: randomUUID(),
        filter: `data.body.json.key == '${'x'.repeat(3_900)}${index}'`,
        workflowId: `large-${index}`,
        firstRunId: randomUUID(),
      }));
      for (let at = 0; at < registrations.length; at += 100) {
        await client.register(source, { registrations: registrations.slice(at, at + 100) });
      }
      await app.client.workflow.getHandle(sourceWorkflowId(source)).terminate('by mistake');
      const posted = await postUntilAccepted([app.ingress.url], { source, id: 'one', body: {} });
      assert.equal(posted.queued, true);
      await app.startWorker();
      await until('it holds all of it', async () => {
        const held = await readSubscriptions(client, source).catch(() => undefined);
        return held && [...held.subscriptions].length === registrations.length + 1;
      });
      await untilDispatched(app, source);
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

  describe('looks at its subscribers', () => {
    const source = 'looked-at';
    const registrations = Array.from({ length: 60 }, (_, index) => ({
      id: randomUUID(),
      filter: '',
      workflowId: `looked-at-${index}`,
      firstRunId: randomUUID(),
    }));
    const last = registrations.at(-1)!;

    /** What a sweep gives, and whom it has asked the server about. */
    async function sweep(
      tell: (workflowId: string) => Promise<SubscriberDescription | undefined>,
      heartbeatDetails?: number,
    ) {
      const looked: string[] = [];
      const subscribers = new SubscriberClient(server.client);
      subscribers.describe = (workflowId) => {
        looked.push(workflowId);
        return tell(workflowId);
      };
      const client = new PatientSource(server.client);
      const app = await startApp(server, { sources: [source] });
      try {
        await client.register(source, { registrations });
        await until('they are registered', async () => {
          const held = await readSubscriptions(client, source).catch(() => undefined);
          return held && [...held.subscriptions].length >= registrations.length - 1;
        });
        const activities = createCareActivities({
          client,
          subscribers,
          runs: new SourceRuns(server.client),
        });
        const environment = new MockActivityEnvironment({ heartbeatDetails });
        const beats: unknown[] = [];
        environment.on('heartbeat', (details) => beats.push(details));
        const removed = await environment.run(() => activities.nexteventSweep({ source }));
        return { removed, looked, beats };
      } finally {
        await app.stop();
      }
    }

    async function describeAll(workflowId: string): Promise<SubscriberDescription | undefined> {
      const held = registrations.find((one) => one.workflowId === workflowId);
      if (held === undefined || held === last) return undefined;
      const { firstRunId } = held;
      return { runId: firstRunId, firstRunId, isOpen: true, historyBytes: 0 };
    }

    test('also if the server refuses to tell of some at first', async () => {
      let calls = 0;
      const { removed, looked, beats } = await sweep(async (workflowId) => {
        calls += 1;
        if (calls % 10 === 0) throw new Error('overloaded');
        return describeAll(workflowId);
      });
      assert.equal(removed, 1);
      assert.deepEqual(new Set(looked), new Set(registrations.map((one) => one.workflowId)));
      assert.equal(Math.max(...beats.map(Number)), registrations.length);
    });

    test('from where the attempt before was', async () => {
      const { looked } = await sweep(describeAll, 50);
      const wanted = registrations.slice(50, -1).map((one) => one.workflowId);
      assert.deepEqual(
        looked.filter((one) => one !== last.workflowId).toSorted(),
        wanted.toSorted(),
      );
    });

    test('and gives up if nobody tells of any more, with what it has found', async () => {
      const [, gone] = registrations;
      const swept = sweep(async (workflowId) => {
        if (workflowId === gone?.workflowId) return undefined;
        throw new Error('away');
      });
      await assert.rejects(swept, { message: 'away' });
      const app = await startApp(server, { sources: [source] });
      try {
        await until('the one is removed that was gone', async () => {
          const held = await readSubscriptions(new PatientSource(server.client), source).catch(
            () => undefined,
          );
          return held && ![...held.subscriptions].some(({ id }) => id === gone?.id);
        });
      } finally {
        await app.stop();
      }
    });
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
