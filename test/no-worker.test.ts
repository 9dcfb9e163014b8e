import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

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
import { leaveAlone, untilDispatched, untilKnown } from './observe.ts';
import { receivedBy, resultOf, startCollecting } from './received.ts';
import { startRestartableServer } from './restartable.ts';
import { untilShown } from './rounds.ts';

/** How long it may take to accept an event. */
const ACCEPT_MS_MAX = 1_000;

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

  test('events are accepted in under a second and arrive in order when it is back, for those who had subscribed', async () => {
    await untilInTime(server, async ({ app, source, sender }) => {
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

  test('events that come together are accepted in under a second, also by an ingress that starts then', async () => {
    await untilInTime(server, async ({ app, source, sender }) => {
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

  test('workflows that wait are signalled at once if nothing is in the way', async () => {
    await untilInTime(server, async ({ app, source, sender }) => {
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

  test('triggers start once, and an event that comes twice arrives once', async () => {
    const trigger = { filter: 'data.body.json.start', workflow: 'returnEvent' };
    await untilInTime(
      server,
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
 * which a busy machine does not do in every round.
 */
async function untilInTime(
  server: TestServer,
  round: (round: Round) => Promise<boolean>,
  trigger?: { readonly filter: string; readonly workflow: string },
): Promise<void> {
  await untilShown(`it was shown, and all accepted within ${ACCEPT_MS_MAX} ms`, async () => {
    const source = `away-${randomUUID()}`;
    const triggers = trigger ? [{ ...trigger, name: `starting-${source}`, source }] : [];
    const app = await startUncached(server, { sources: [source], triggers });
    const sender = new Sender(app, source);
    try {
      return (await round({ app, source, sender })) && sender.isInTime;
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

/** Posts to a source, and knows whether each of its events was accepted in time. */
class Sender {
  readonly #app: TestApp;
  readonly #source: string;
  isInTime = true;

  constructor(app: TestApp, source: string) {
    this.#app = app;
    this.#source = source;
  }

  async post({ id, body, url = this.#app.ingress.url }: Posting): Promise<Posted> {
    const event = { source: this.#source, id, body };
    const startedAt = performance.now();
    const posted = await post(url, event);
    const isAccepted = posted.status === 202;
    if (!isAccepted || performance.now() - startedAt >= ACCEPT_MS_MAX) this.isInTime = false;
    // One that is told to come back does, so that all arrive in every round.
    return isAccepted ? posted : postUntilAccepted([url], event);
  }
}
