import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import type { WorkflowHandle } from '@temporalio/client';

import { createDispatcher } from '../dispatch/dispatcher.ts';
import type { Event } from '../events/event.ts';
import {
  postUntilAccepted,
  startApp,
  startProcess,
  startServer,
  until,
  untilSubscribed,
  type TestApp,
  type TestProcess,
  type TestServer,
} from './harness.ts';
import { untilDispatched } from './observe.ts';
import { PatientSource } from './patient-source.ts';
import { receivedBy, resultOf, startCollecting } from './received.ts';
import { dispatcherWith } from './trouble.ts';
import type { Received } from './workflows/listening.ts';

const CONFIG = fileURLToPath(new URL('order.config.ts', import.meta.url));

/** Not the events that only keep an ingress in use. */
const NOT_NOISE = '!has(data.body.json.noise)';

/** In so many rounds the first event goes through the backlog, and the second does not. */
const OVERTAKING_ROUNDS = 6;

/** ... in not more than so many: the second is queued, too, where the backlog takes too long. */
const OVERTAKING_ROUNDS_MAX = 100;

describe('Order', () => {
  let server: TestServer;
  let ingresses: readonly TestProcess[] = [];
  before(async () => {
    server = await startServer();
    const env = { TEMPORAL_ADDRESS: server.address, NEXTEVENT_CONFIG: CONFIG };
    ingresses = await Promise.all([startProcess('ingress', env), startProcess('ingress', env)]);
  });
  after(async () => {
    for (const ingress of ingresses) await ingress.kill();
    await server.stop();
  });

  test('an event posted after another was acknowledged arrives after it', async () => {
    const source = 'sequence';
    await withApp({ server, source }, async (app) => {
      const collecting = await startCollecting(app, [[source, '']]);
      const ids = idsOf('event', 100);
      for (const id of ids) await post(app, { source, id });
      assert.deepEqual(await collected(app, collecting, source), ids);
    });
  });

  test('... also if the two came to different ingresses, while subscriptions change', async (context) => {
    const source = 'alternating';
    await withApp({ server, source }, async (app) => {
      const churning = await app.start('churn', source);
      const collecting = await startCollecting(app, [[source, "data.body.json.kind == 'event'"]]);
      const ids = idsOf('pair', 200);
      const queued: boolean[] = [];
      for (const [index, id] of ids.entries()) {
        const event = { source, id, body: { kind: 'event' }, url: inTurn(index) };
        queued.push((await post(app, event)).queued);
      }
      await churning.terminate();
      const direct = queued.filter((one, index) => !one && queued[index - 1] === false).length;
      context.diagnostic(`${direct} were signalled at once, as was the one before at the other`);
      assert.ok(direct > 0, 'none of two in a row went to the workflow at once');
      assert.deepEqual(await collected(app, collecting, source), ids);
    });
  });

  test('... also if the first went through the backlog and the second did not, elsewhere', async () => {
    const source = 'overtaking';
    await withApp({ server, source }, async (app) => {
      const collecting = await startCollecting(app, [[source, NOT_NOISE]]);
      const other = inTurn(1);
      // Nothing can be signalled through this one, so that all goes through the backlog.
      const one = dispatcherWith(app.client, source, { failures: 'all' });
      const ids: string[] = [];
      let shown = 0;
      for (let round = 0; shown < OVERTAKING_ROUNDS; round += 1) {
        assert.ok(
          round < OVERTAKING_ROUNDS_MAX,
          `the second was queued, too, in all but ${shown} of ${round} rounds`,
        );
        const pair = `pair ${round}`;
        ids.push(`${pair} first`, `${pair} second`);
        // In use, so that it would have leave to signal if the first did not show.
        await post(app, { source, id: randomUUID(), body: { noise: true }, url: other });
        const first = await until('the first is durable', () =>
          one.dispatch(eventOf(source, `${pair} first`)).catch(() => undefined),
        );
        assert.equal(first.queued, true);
        if (!(await post(app, { source, id: `${pair} second`, url: other })).queued) shown += 1;
      }
      await one.close();
      assert.deepEqual(await collected(app, collecting, source), ids);
    });
  });

  test('... also if the second came to an ingress that has read the source long before', async () => {
    const source = 'resting';
    await withApp({ server, source }, async (app) => {
      const collecting = await startCollecting(app, [[source, '']]);
      // Reads the source when it starts, and not again until its first event.
      const resting = await app.startIngress();
      await app.stopWorker();
      await new PatientSource(app.client).unregister(source, [randomUUID()]);
      const first = await post(app, { source, id: 'first' });
      assert.equal(first.queued, true);
      await post(app, { source, id: 'second', url: resting.url });
      await app.startWorker();
      assert.deepEqual(await collected(app, collecting, source), ['first', 'second']);
    });
  });

  test('... also while a backlog that grew with no worker is worked off', async () => {
    const source = 'returning';
    await withApp({ server, source }, async (app) => {
      const collecting = await startCollecting(app, [[source, '']]);
      const ids: string[] = [];
      let queued = 0;
      for (const round of idsOf('round', 3)) {
        await app.stopWorker();
        // Something that nobody is there to answer for: from now on events are queued.
        await new PatientSource(app.client).unregister(source, [randomUUID()]);
        const away = Array.from({ length: 6 }, (_, index) => `${round} away ${index}`);
        const back = Array.from({ length: 40 }, (_, index) => `${round} back ${index}`);
        for (const [index, id] of away.entries()) {
          const posted = await post(app, { source, id, url: inTurn(index) });
          if (posted.queued) queued += 1;
        }
        const starting = app.startWorker();
        for (const [index, id] of back.entries()) {
          await post(app, { source, id, url: inTurn(index) });
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

  /** Two processes take turns. */
  function inTurn(index: number): string {
    return ingresses[index % 2]?.url ?? '';
  }
});

interface Around {
  readonly server: TestServer;
  readonly source: string;
  readonly others?: readonly string[];
}

async function withApp(
  { server, source, others = [] }: Around,
  run: (app: TestApp) => Promise<void>,
): Promise<void> {
  const app = await startApp(server, { sources: [source, ...others] });
  try {
    await run(app);
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
  /** Of an ingress; that of the test's own process if none is given. */
  readonly url?: string;
}

function post(app: TestApp, { source, id, body = {}, url = app.ingress.url }: Posting) {
  return postUntilAccepted([url], { source, id, body });
}

function idsOf(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name} ${index}`);
}

function eventOf(source: string, id: string): Event {
  const data = { body: { json: {} } };
  return { id, source, type: 'post', time: new Date().toISOString(), data };
}
