import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import type { WorkflowHandle } from '@temporalio/client';

import { createDispatcher } from '../dispatch/dispatcher.ts';
import { FAN_OUT_MAX } from '../dispatch/source-dispatcher.ts';
import { SourceClient } from '../dispatch/source-client.ts';
import type { Event } from '../events/event.ts';
import type { Registration } from '../events/subscription.ts';
import {
  postUntilAccepted,
  startApp,
  startServer,
  untilSubscribed,
  type TestApp,
  type TestServer,
} from './harness.ts';
import { untilDispatched } from './observe.ts';
import { receivedBy, resultOf, startCollecting } from './received.ts';
import type { Received } from './workflows/listening.ts';

describe('Order', () => {
  let server: TestServer;
  before(async () => {
    server = await startServer();
  });
  after(() => server.stop());

  test('an event posted after another was acknowledged arrives after it', async () => {
    const source = 'sequence';
    await withApp({ server, source }, async (app) => {
      const collecting = await startCollecting(app, [[source, '']]);
      const ids = idsOf('event', 100);
      for (const id of ids) await post(app, { source, id });
      assert.deepEqual(await collected(app, collecting, source), ids);
    });
  });

  test('... also if the two came to different ingresses, while subscriptions change', async () => {
    const source = 'alternating';
    await withApp({ server, source, ingresses: 2 }, async (app, urls) => {
      const churning = await app.start('churn', source);
      const collecting = await startCollecting(app, [[source, "data.body.json.kind == 'event'"]]);
      const ids = idsOf('pair', 400);
      for (const [index, id] of ids.entries()) {
        const ingress = urls[index % 2] ?? '';
        await postUntilAccepted([ingress], { source, id, body: { kind: 'event' } });
      }
      await churning.terminate();
      assert.deepEqual(await collected(app, collecting, source), ids);
    });
  });

  test('... also if the first went through the backlog and the second did not, elsewhere', async () => {
    const source = 'overtaking';
    await withApp({ server, source, ingresses: 2 }, async (app, urls) => {
      const [one = '', other = ''] = urls;
      const collecting = await startCollecting(app, [[source, "data.body.json.kind != 'none'"]]);
      const sources = new SourceClient(app.client);
      const ids: string[] = [];
      let queued = 0;
      for (const pair of idsOf('pair', 12)) {
        // Too many want the first for it to be signalled at once, and they hold it up.
        await sources.register(source, { registrations: ghostsOf(pair) });
        ids.push(`${pair} first`, `${pair} second`);
        // In use, so that it would have leave to signal if the first did not show.
        await postUntilAccepted([other], { source, id: randomUUID(), body: { kind: 'none' } });
        const body = { kind: pair };
        const first = await postUntilAccepted([one], { source, id: `${pair} first`, body });
        if (first.queued) queued += 1;
        const second = { source, id: `${pair} second`, body: { kind: 'after' } };
        await postUntilAccepted([other], second);
      }
      assert.equal(queued, 12);
      assert.deepEqual(await collected(app, collecting, source), ids);
    });
  });

  test('... also if the second came to an ingress that has read the source long before', async () => {
    const source = 'resting';
    await withApp({ server, source }, async (app, [one = '']) => {
      const collecting = await startCollecting(app, [[source, '']]);
      // Reads the source when it starts, and not again until its first event.
      const resting = await app.startIngress();
      await app.stopWorker();
      await new SourceClient(app.client).unregister(source, [randomUUID()]);
      const first = await postUntilAccepted([one], { source, id: 'first', body: {} });
      assert.equal(first.queued, true);
      await postUntilAccepted([resting.url], { source, id: 'second', body: {} });
      await app.startWorker();
      assert.deepEqual(await collected(app, collecting, source), ['first', 'second']);
    });
  });

  test('... also while a backlog that grew with no worker is worked off', async () => {
    const source = 'returning';
    await withApp({ server, source, ingresses: 2 }, async (app, urls) => {
      const collecting = await startCollecting(app, [[source, '']]);
      const ids: string[] = [];
      let queued = 0;
      for (const round of idsOf('round', 3)) {
        await app.stopWorker();
        // Something that nobody is there to answer for: from now on events are queued.
        await new SourceClient(app.client).unregister(source, [randomUUID()]);
        const away = Array.from({ length: 6 }, (_, index) => `${round} away ${index}`);
        const back = Array.from({ length: 40 }, (_, index) => `${round} back ${index}`);
        for (const [index, id] of away.entries()) {
          const posted = await post(app, { source, id, url: urls[index % 2] });
          if (posted.queued) queued += 1;
        }
        const starting = app.startWorker();
        for (const [index, id] of back.entries()) {
          await post(app, { source, id, url: urls[index % 2] });
        }
        await starting;
        ids.push(...away, ...back);
      }
      assert.equal(queued, 18);
      assert.deepEqual(await collected(app, collecting, source), ids);
    });
  });

  test('many events for one workflow keep the order in which they came, and travel together', async () => {
    const source = 'batches';
    await withApp({ server, source }, async (app) => {
      const collecting = await startCollecting(app, [[source, '']]);
      const ids = idsOf('event', 500);
      const { connectionOptions, namespace } = server;
      const options = { connectionOptions, namespace, sources: [source], triggers: [] };
      const dispatcher = await createDispatcher(options);
      await Promise.all(ids.map((id) => dispatcher.dispatch(eventOf(source, id))));
      await dispatcher.close();
      assert.deepEqual(await collected(app, collecting, source), ids);
      const { events } = await collecting.fetchHistory();
      const signals = events?.filter(
        ({ workflowExecutionSignaledEventAttributes: signal }) => signal,
      );
      assert.ok(signals && signals.length < 50, `${signals?.length} signals`);
    });
  });

  test('events come in one order over all subscriptions of a workflow', async () => {
    const [one, other] = ['left', 'right'];
    await withApp({ server, source: one, others: [other] }, async (app) => {
      const collecting = await startCollecting(app, [
        [one, "data.body.json.number == 'even'"],
        [one, "data.body.json.number == 'odd'"],
        [other, ''],
      ]);
      const ids = idsOf('event', 60);
      for (const [index, id] of ids.entries()) {
        const source = index % 3 === 2 ? other : one;
        const body = { number: index % 3 === 0 ? 'even' : 'odd' };
        const { queued } = await post(app, { source, id, body });
        // The next one may be for the other source, which does not wait for this one's backlog.
        if (queued) await untilDispatched(app, source);
      }
      assert.deepEqual(await collected(app, collecting, other), ids);
      const { subscribed } = await untilSubscribed(collecting, 3);
      const received = await resultOf<Received[]>(collecting);
      const expected = ids.map((_, index) => subscribed[index % 3]);
      assert.deepEqual(
        received.map(({ subscription }) => subscription),
        expected,
      );
    });
  });
});

interface Around {
  readonly server: TestServer;
  readonly source: string;
  readonly others?: readonly string[];
  readonly ingresses?: number;
}

async function withApp(
  { server, source, others = [], ingresses = 1 }: Around,
  run: (app: TestApp, urls: readonly string[]) => Promise<void>,
): Promise<void> {
  const app = await startApp(server, { sources: [source, ...others] });
  try {
    const urls = [app.ingress.url];
    while (urls.length < ingresses) urls.push((await app.startIngress()).url);
    await run(app, urls);
  } finally {
    await app.stop();
  }
}

/** The ids of everything that was received before the event that ends it. */
async function collected(app: TestApp, handle: WorkflowHandle, source: string): Promise<string[]> {
  await post(app, { source, id: `end ${randomUUID()}`, body: { kind: 'event' } });
  return receivedBy(handle);
}

interface Posting {
  readonly source: string;
  readonly id: string;
  readonly body?: unknown;
  readonly url?: string | undefined;
}

function post(app: TestApp, { source, id, body = {}, url = app.ingress.url }: Posting) {
  return postUntilAccepted([url], { source, id, body });
}

/** Subscriptions to one kind of event, of workflows that are no more. */
function ghostsOf(kind: string): Registration[] {
  return Array.from({ length: FAN_OUT_MAX + 1 }, (_, index) => ({
    id: randomUUID(),
    filter: `data.body.json.kind == '${kind}'`,
    workflowId: `ghost ${kind} ${index}`,
    firstRunId: randomUUID(),
  }));
}

function idsOf(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name} ${index}`);
}

function eventOf(source: string, id: string): Event {
  return { id, source, type: 'post', time: new Date().toISOString(), data: {} };
}
