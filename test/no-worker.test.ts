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

/** How long it may take to accept an event. */
const ACCEPT_MS_MAX = 1_000;

/** How long after an outage an ingress may take to reach Temporal again. */
const BACK_MS_MAX = 5_000;

describe('While there is no worker', () => {
  let server: TestServer;
  before(async () => {
    server = await startServer();
  });
  after(() => server.stop());

  test('events are accepted in under a second and arrive in order when it is back, for those who had subscribed', async () => {
    const app = await startUncached(server, { sources: ['away'] });
    try {
      const all = await startCollecting(app, [['away', '']]);
      const even = await startCollecting(app, [['away', 'data.body.json.even']]);
      const ended = await startCollecting(app, [['away', '']]);
      await leaveAlone(app, 'away');
      // They subscribe as soon as there is a worker, before the events have been dispatched.
      const late = await app.start('collect', { subscriptions: [['away', '']] });
      await ended.terminate();
      const ids = Array.from({ length: 20 }, (_, number) => `event ${number}`);
      for (const [number, id] of ids.entries()) {
        const posted = await postInTime(app, 'away', { id, body: { even: number % 2 === 0 } });
        assert.deepEqual([posted.status, posted.queued], [202, true]);
      }
      await app.startWorker();
      await untilSubscribed(late, 1);
      await app.post('away', { even: true }, 'end');
      assert.deepEqual(await receivedBy(all), ids);
      assert.deepEqual(
        await receivedBy(even),
        ids.filter((_, number) => number % 2 === 0),
      );
      assert.deepEqual(await receivedBy(late), []);
    } finally {
      await app.stop();
    }
  });

  test('events that come together are accepted in under a second, also by an ingress that starts then', async () => {
    const app = await startUncached(server, { sources: ['together'] });
    try {
      const collecting = await startCollecting(app, [['together', '']]);
      await app.stopWorker();
      const ids = Array.from({ length: 30 }, () => randomUUID());
      // It knows nothing of the source, and nothing waits in it that nobody takes up.
      const { url } = await app.startIngress();
      const postings = ids.map((id) => postInTime(app, 'together', { id, body: {}, url }));
      for (const posted of await Promise.all(postings)) {
        assert.deepEqual([posted.status, posted.queued], [202, true]);
      }
      // Now something does.
      const others = Array.from({ length: 5 }, () => randomUUID());
      const otherUrl = (await app.startIngress()).url;
      for (const other of others) {
        await postInTime(app, 'together', { id: other, body: {}, url: otherUrl });
      }
      await app.startWorker();
      await postUntilAccepted([url], { source: 'together', id: 'end', body: {} });
      const received = await receivedBy(collecting);
      assert.deepEqual(received.slice(0, ids.length).toSorted(), ids.toSorted());
      assert.deepEqual(received.slice(ids.length), others);
    } finally {
      await app.stop();
    }
  });

  test('workflows that wait are signalled at once if nothing is in the way', async () => {
    const app = await startUncached(server, { sources: ['current'] });
    try {
      const collecting = await startCollecting(app, [['current', '']]);
      await app.post('current', {}, 'warm');
      await untilDispatched(app, 'current');
      await untilKnown(app, 'current');
      await app.stopWorker();
      const posted = await postInTime(app, 'current', { id: 'event', body: {} });
      assert.deepEqual([posted.signalled, posted.queued], [1, false]);
      await app.startWorker();
      await app.post('current', {}, 'end');
      assert.deepEqual(await receivedBy(collecting), ['warm', 'event']);
    } finally {
      await app.stop();
    }
  });

  test('triggers start once, and an event that comes twice arrives once', async () => {
    const source = 'twice';
    const app = await startUncached(server, {
      sources: [source],
      triggers: [
        { name: 'starting', source, filter: 'data.body.json.start', workflow: 'returnEvent' },
      ],
    });
    try {
      const collecting = await startCollecting(app, [[source, '']]);
      await leaveAlone(app, source);
      for (const id of ['one', 'one', 'two', 'one']) {
        const posted = await postInTime(app, source, { id, body: { start: true } });
        assert.deepEqual([posted.status, posted.queued], [202, true]);
      }
      await app.startWorker();
      for (const id of ['one', 'two']) {
        const handle = app.client.workflow.getHandle(`starting/${id}`);
        assert.equal(await resultOf<string>(handle), id);
      }
      await app.post(source, {}, 'end');
      assert.deepEqual(await receivedBy(collecting), ['one', 'two']);
      const runs = await until('both are visible', async () => {
        const found = await app.client.workflow.count(`WorkflowType = 'returnEvent'`);
        return found.count >= 2 && found;
      });
      assert.equal(runs.count, 2);
    } finally {
      await app.stop();
    }
  });
});

describe('While Temporal is away', () => {
  test('the answer is 503 with Retry-After, and the retry is accepted soon after it is back', async () => {
    const server = await startRestartableServer();
    const app = await startUncached(server, { sources: ['outage'] });
    try {
      const collecting = await startCollecting(app, [['outage', '']]);
      await server.kill();
      const request = { method: 'POST', body: '{}', headers: { 'idempotency-key': 'event' } };
      for (let attempt = 0; attempt < 4; attempt += 1) {
        const response = await fetch(`${app.ingress.url}/webhooks/outage`, request);
        assert.equal(response.status, 503);
        assert.match(response.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
      }
      await server.startAgain();
      const backAt = performance.now();
      await postUntilAccepted([app.ingress.url], { source: 'outage', id: 'event', body: {} });
      const tookMs = performance.now() - backAt;
      assert.ok(tookMs < BACK_MS_MAX, `accepted ${tookMs} ms after Temporal was back`);
      await postUntilAccepted([app.ingress.url], { source: 'outage', id: 'end', body: {} });
      assert.deepEqual(await receivedBy(collecting), ['event']);
    } finally {
      await app.stop();
      await server.stop();
    }
  });
});

interface Posting {
  readonly id: string;
  readonly body: unknown;
  readonly url?: string;
}

async function postInTime(
  app: TestApp,
  source: string,
  { id, body, url = app.ingress.url }: Posting,
): Promise<Posted> {
  const startedAt = performance.now();
  const posted = await post(url, { source, id, body });
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs < ACCEPT_MS_MAX, `accepted after ${tookMs} ms`);
  return posted;
}
