// Workers that die while they deliver: the receiver may get the same event twice, with the same id,
// and never zero times.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import {
  postUntilAccepted,
  startProcess,
  startServer,
  until,
  type TestProcess,
  type TestServer,
} from './harness.ts';
import { startListener, type TestListener, type Wanted } from './listeners.ts';
import { Receiver } from './receiving.ts';

/** A worker that is gone is noticed within this. */
const NOTICED_MS_MAX = 15_000;

describe('when a worker is killed that delivers', () => {
  let server: TestServer;
  let worker: TestProcess;
  let ingress: TestProcess;

  before(async () => {
    server = await startServer();
    worker = await start('worker');
    ingress = await start('ingress');
  });

  after(async () => {
    await ingress?.kill();
    await worker?.kill();
    await server?.stop();
  });

  test('before it has sent what it is to send, another one sends it', async () => {
    let opens = false;
    await using receiver = await Receiver.start(({ path }) =>
      path === '/may-i' && !opens ? undefined : 200,
    );
    const source = 'before-send';
    const given = { sources: [source], url: receiver.url, type: 'gated', timeoutMs: 60_000 };
    const listener = await listening(given);
    await send(source, 'a');
    await until('the worker is about to send', () => receiver.received.length === 1);
    await worker.kill();
    opens = true;
    worker = await start('worker');
    const [delivery] = await listener.untilDelivered('successful');
    assert.deepEqual(sentTo(receiver), ['a']);
    assert.equal(delivery?.attempts.length, 1);
  });

  test('before it has said what was answered, another one sends it again, with the same id', async () => {
    let answers = false;
    await using receiver = await Receiver.start(() => (answers ? 200 : undefined));
    const source = 'before-record';
    const listener = await listening({
      sources: [source],
      url: receiver.url,
      timeoutMs: 60_000,
      signing: [{ secret: 'KEY' }],
    });
    await send(source, 'a');
    await until('it has been sent', () => receiver.received.length === 1);
    await worker.kill();
    answers = true;
    const killedAt = performance.now();
    worker = await start('worker');
    const readyAt = performance.now();
    const [delivery] = await listener.untilDelivered('successful');
    assert.deepEqual(sentTo(receiver), ['a', 'a']);
    const [first, second] = receiver.received.map(({ headers }) => headers['webhook-id']);
    assert.ok(typeof first === 'string' && first === second);
    const waitedMs = receiver.received[1]!.at - Math.max(killedAt, readyAt);
    assert.ok(waitedMs < NOTICED_MS_MAX, `${waitedMs} ms`);
    assert.equal(delivery?.attempts.length, 1);
  });

  test('again and again, everything is delivered all the same', async () => {
    let answers = 0;
    await using receiver = await Receiver.start(() => ((answers += 1) % 4 === 0 ? 500 : 200));
    const source = 'often';
    const wanted = { sources: [source], url: receiver.url, retryMs: Array(30).fill(200) };
    const listener = await listening(wanted, 100);
    const ids = Array.from({ length: 30 }, (_, index) => `k${index}`);
    for (const [place, id] of ids.entries()) {
      await send(source, id);
      if (place % 10 !== 5) continue;
      // The moment that something of it is delivered, and the rest is on its way.
      await until('it is at work', () => receiver.received.length > place / 2);
      await worker.kill();
      worker = await start('worker');
    }
    const delivered = await listener.untilDelivered('successful', ids.length);
    assert.deepEqual(new Set(sentTo(receiver)), new Set(ids));
    assert.deepEqual(
      delivered.map(({ number }) => number),
      ids.map((_, index) => index + 1),
    );
    assert.equal((await listener.view()).pending, 0);
  });

  function listening(wanted: Wanted, historyEventsMax = 4_000): Promise<TestListener> {
    const project = { client: server.client, taskQueue: 'listener-kill' };
    return startListener(project, wanted, { historyEventsMax });
  }

  async function send(source: string, id: string): Promise<void> {
    await postUntilAccepted([ingress.url], { source, body: {}, id });
  }

  function start(kind: 'worker' | 'ingress'): Promise<TestProcess> {
    return startProcess(kind, {
      TEMPORAL_ADDRESS: server.address,
      NEXTEVENT_CONFIG: fileURLToPath(new URL('listener-kill.config.ts', import.meta.url)),
    });
  }
});

/** The ids of the events that came. */
function sentTo({ received }: Receiver): string[] {
  return received.filter(({ path }) => path !== '/may-i').map(({ id }) => id);
}
