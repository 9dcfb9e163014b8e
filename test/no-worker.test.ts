import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test, type TestContext } from 'node:test';

import type { WorkflowHandle } from '@temporalio/client';

import {
  post,
  postUntilAccepted,
  startServer,
  startUncached,
  until,
  untilSubscribed,
  type Posted,
  type TestApp,
  type TestServer,
} from './harness.ts';
import { leaveAlone, signalsTo, untilDispatched, untilKnown } from './observe.ts';
import { patiently, PatientSource } from './patient-source.ts';
import { receivedBy, resultOf, startCollecting } from './received.ts';
import { startRestartableServer } from './restartable.ts';
import { untilShown } from './rounds.ts';

/** How long it may take to accept an event, on a machine that has time for it. */
const ACCEPT_MS_MAX = 1_000;

/** ... which makes so many calls to Temporal, one after the other, or less. */
const CALLS = 6;

/** How many bare calls are made at once, to tell how long one takes on this machine just now. */
const BARE_CALLS = 30;

/** How long after an outage an ingress may take to reach Temporal again. */
const BACK_MS_MAX = 5_000;

/** ... in one of so many outages: a busy machine takes longer in some. */
const OUTAGES_MAX = 3;

describe('While there is no worker', () => {
  let server: TestServer;
  before(async () => {
    server = await startServer();
  });
  after(() => server.stop());

  test('events are accepted in under a second and arrive in order when it is back, for those who had subscribed', async (context) => {
    await untilInTime({ server, context }, async ({ app, source, sender }) => {
      const all = await startCollecting(app, [[source, '']]);
      const even = await startCollecting(app, [[source, 'data.body.json.even']]);
      const ended = await startCollecting(app, [[source, '']]);
      await leaveAlone(app, source);
      // They subscribe as soon as there is a worker, before the events have been dispatched.
      const late = await app.start('collect', { subscriptions: [[source, '']] });
      await ended.terminate();
      const ids = Array.from({ length: 20 }, (_, number) => `event ${number}`);
      for (const [number, id] of ids.entries()) {
        const posted = await sender.post({ id, body: { even: number % 2 === 0 } });
        assert.deepEqual([posted.status, posted.queued], [202, true]);
      }
      await app.startWorker();
      await untilSubscribed(late, 1);
      await app.post(source, { even: true }, 'end');
      assert.deepEqual(await receivedBy(all), ids);
      assert.deepEqual(
        await receivedBy(even),
        ids.filter((_, number) => number % 2 === 0),
      );
      assert.deepEqual(await receivedBy(late), []);
      return true;
    });
  });

  test('each goes to those whose subscription the source had heard of when it came', async (context) => {
    await untilInTime({ server, context }, async ({ app, source, sender }) => {
      const staying = await startCollecting(app, [[source, '']]);
      const leaving = await startCollecting(app, [[source, '']]);
      const joining = await app.start('collect', { subscriptions: [[source, 'false']] });
      await untilSubscribed(joining, 1);
      const { subscribed: left } = await untilSubscribed(leaving, 1);
      await leaveAlone(app, source);
      const sources = new PatientSource(app.client);
      const ids = ['before it joined', 'before it left', 'after it left'];
      const [one = '', other = '', last = ''] = ids;
      const queued = [await sender.post({ id: one, body: {} })];
      const { workflowId, firstExecutionRunId: firstRunId } = joining;
      const joined = { id: randomUUID(), filter: '', workflowId, firstRunId };
      await sources.register(source, { registrations: [joined] });
      queued.push(await sender.post({ id: other, body: {} }));
      await sources.unregister(source, left);
      queued.push(await sender.post({ id: last, body: {} }));
      assert.ok(queued.every((posted) => posted.queued));
      await app.startWorker();
      assert.equal((await app.post(source, {}, 'end')).status, 202);
      assert.deepEqual(await receivedBy(staying), ids);
      await untilDispatched(app, source);
      assert.deepEqual(await sentTo(joining), [other, last, 'end']);
      // What came before it left would find nobody who wants it any more.
      assert.deepEqual(await sentTo(leaving), []);
      return true;
    });
  });

  test('events that come together are accepted in under a second, also by an ingress that starts then', async (context) => {
    await untilInTime({ server, context }, async ({ app, source, sender }) => {
      const collecting = await startCollecting(app, [[source, '']]);
      await app.stopWorker();
      const ids = Array.from({ length: 30 }, () => randomUUID());
      // It knows nothing of the source, and nothing waits in it that nobody takes up.
      const { url } = await app.startIngress();
      const postings = ids.map((id) => sender.post({ id, body: {}, url }));
      for (const posted of await Promise.all(postings)) {
        assert.deepEqual([posted.status, posted.queued], [202, true]);
      }
      // Now something does.
      const others = Array.from({ length: 5 }, () => randomUUID());
      const otherUrl = (await app.startIngress()).url;
      for (const other of others) await sender.post({ id: other, body: {}, url: otherUrl });
      await app.startWorker();
      await postUntilAccepted([url], { source, id: 'end', body: {} });
      const received = await receivedBy(collecting);
      assert.deepEqual(received.slice(0, ids.length).toSorted(), ids.toSorted());
      assert.deepEqual(received.slice(ids.length), others);
      return true;
    });
  });

  test('workflows that wait are signalled at once if nothing is in the way', async (context) => {
    await untilInTime({ server, context }, async ({ app, source, sender }) => {
      const collecting = await startCollecting(app, [[source, '']]);
      await app.post(source, {}, 'warm');
      await untilDispatched(app, source);
      await untilKnown(app, source);
      await app.stopWorker();
      const { signalled, queued } = await sender.post({ id: 'event', body: {} });
      await app.startWorker();
      await app.post(source, {}, 'end');
      assert.deepEqual(await receivedBy(collecting), ['warm', 'event']);
      return signalled === 1 && !queued;
    });
  });

  test('triggers start once, and an event that comes twice arrives once', async (context) => {
    const trigger = { filter: 'data.body.json.start', workflow: 'returnEvent' };
    await untilInTime(
      { server, context },
      async ({ app, source, sender }) => {
        const collecting = await startCollecting(app, [[source, '']]);
        await leaveAlone(app, source);
        for (const id of ['one', 'one', 'two', 'one']) {
          const posted = await sender.post({ id, body: { start: true } });
          assert.deepEqual([posted.status, posted.queued], [202, true]);
        }
        await app.startWorker();
        for (const id of ['one', 'two']) {
          const handle = app.client.workflow.getHandle(`starting-${source}/${id}`);
          assert.equal(await resultOf<string>(handle), id);
        }
        await app.post(source, {}, 'end');
        assert.deepEqual(await receivedBy(collecting), ['one', 'two']);
        const ofThisRound = `WorkflowType = 'returnEvent' AND TaskQueue = '${app.taskQueue}'`;
        const runs = await until('both are visible', async () => {
          const found = await app.client.workflow.count(ofThisRound);
          return found.count >= 2 && found;
        });
        assert.equal(runs.count, 2);
        return true;
      },
      trigger,
    );
  });
});

describe('While Temporal is away', () => {
  test('the answer is 503 with Retry-After, and the retry is accepted soon after it is back', async (context) => {
    const server = await startRestartableServer();
    const app = await startUncached(server, { sources: ['outage'] });
    const ids: string[] = [];
    try {
      const collecting = await startCollecting(app, [['outage', '']]);
      let tookMs = Infinity;
      while (tookMs >= BACK_MS_MAX && ids.length < OUTAGES_MAX) {
        const id = `event ${ids.length}`;
        ids.push(id);
        await server.kill();
        await assertRefused(app, id);
        await server.startAgain();
        const backAt = performance.now();
        await postUntilAccepted([app.ingress.url], { source: 'outage', id, body: {} });
        tookMs = performance.now() - backAt;
        context.diagnostic(`${id} was accepted ${tookMs} ms after Temporal was back`);
      }
      assert.ok(tookMs < BACK_MS_MAX, `accepted ${tookMs} ms after Temporal was back`);
      await postUntilAccepted([app.ingress.url], { source: 'outage', id: 'end', body: {} });
      assert.deepEqual(await receivedBy(collecting), ids);
    } finally {
      await app.stop();
      await server.stop();
    }
  });
});

/** The ids of the events that it was sent, whatever has become of its subscriptions. */
async function sentTo(handle: WorkflowHandle): Promise<string[]> {
  return (await signalsTo(handle)).flatMap(({ ids }) => ids);
}

/** Posts it some times, while there is no Temporal to take it. */
async function assertRefused(app: TestApp, id: string): Promise<void> {
  const request = { method: 'POST', body: '{}', headers: { 'idempotency-key': id } };
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const response = await fetch(`${app.ingress.url}/webhooks/outage`, request);
    assert.equal(response.status, 503);
    assert.match(response.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
  }
}

interface Round {
  readonly app: TestApp;
  /** Of this round alone. */
  readonly source: string;
  readonly sender: Sender;
}

/**
 * Makes rounds until one has shown what it is for and all that it posted was accepted in time,
 * which a busy machine does not do in every round: in under a second, beside what the calls to
 * Temporal take that it needs.
 */
async function untilInTime(
  { server, context }: { readonly server: TestServer; readonly context: TestContext },
  round: (round: Round) => Promise<boolean>,
  trigger?: { readonly filter: string; readonly workflow: string },
): Promise<void> {
  await untilShown('it was shown, and all accepted in time', async () => {
    const source = `away-${randomUUID()}`;
    const triggers = trigger ? [{ ...trigger, name: `starting-${source}`, source }] : [];
    const app = await startUncached(server, { sources: [source], triggers });
    const sender = new Sender(app, source);
    try {
      const isShown = await round({ app, source, sender });
      const limitMs = ACCEPT_MS_MAX + CALLS * (await timeBare(app));
      context.diagnostic(`all were accepted within ${sender.slowestMs} ms, of ${limitMs} ms`);
      return isShown && sender.slowestMs < limitMs;
    } finally {
      await app.stop();
    }
  });
}

interface Posting {
  readonly id: string;
  readonly body: unknown;
  readonly url?: string;
}

/** How long the slowest of many bare signals takes, in milliseconds. */
async function timeBare(app: TestApp): Promise<number> {
  const nobody = `nobody-${randomUUID()}`;
  const handle = await app.client.workflow.start('nobody', {
    workflowId: nobody,
    taskQueue: nobody,
  });
  const tookMs = Array.from({ length: BARE_CALLS }, async () => {
    const startedAt = performance.now();
    await patiently(() => handle.signal('bare'));
    return performance.now() - startedAt;
  });
  return Math.round(Math.max(...(await Promise.all(tookMs))));
}

/** Posts to a source, and knows how long it took until each of its events was accepted. */
class Sender {
  readonly #app: TestApp;
  readonly #source: string;
  slowestMs = 0;

  constructor(app: TestApp, source: string) {
    this.#app = app;
    this.#source = source;
  }

  async post({ id, body, url = this.#app.ingress.url }: Posting): Promise<Posted> {
    const event = { source: this.#source, id, body };
    const startedAt = performance.now();
    const posted = await post(url, event);
    const isAccepted = posted.status === 202;
    const tookMs = isAccepted ? Math.round(performance.now() - startedAt) : Infinity;
    this.slowestMs = Math.max(this.slowestMs, tookMs);
    // One that is told to come back does, so that all arrive in every round.
    return isAccepted ? posted : postUntilAccepted([url], event);
  }
}
