// What listeners deliver, to whom, and what is on record of it: with real requests to a receiver in
// the process of the test.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';

import { DeliveryClient } from '../dispatch/delivery-client.ts';
import { DeliveryReader } from '../dispatch/delivery-reading.ts';
import type { Delivery } from '../events/listener.ts';
import { createListeners } from '../ingress/listeners.ts';
import {
  DELIVERY_FAILED,
  deliveryWorkflowId,
  listenerTaskQueue,
  type DeliveryMemo,
  type ListenerMemo,
} from '../workflows/listener-messages.ts';
import { newDelivery } from '../workflows/listener-delivery.ts';
import { pack, Texts } from '../workflows/listener-packing.ts';
import { NOTHING } from '../workflows/listener-records.ts';
import { startApp, startServer, until, type TestApp, type TestServer } from './harness.ts';
import {
  beginListener,
  startListener,
  TO_THIS_MACHINE,
  type TestListener,
  type Wanted,
} from './listeners.ts';
import { count, deliver, historyOf } from './observe.ts';
import { Receiver } from './receiving.ts';

const SOURCES = [
  'matching',
  'retried',
  'after',
  'gone',
  'failing',
  'skipped',
  'ordered',
  'together',
  'paced',
  'moved',
  'refiltered',
  'other',
  'removed',
  'long',
  'again',
  'refused',
  'many',
  'large',
  'reading',
  'odd',
  'shut',
  'reset',
  'found',
  'taken',
];

describe('a listener', () => {
  let server: TestServer;
  let app: TestApp;

  before(async () => {
    server = await startServer();
    app = await startApp(server, { sources: SOURCES, outbound: TO_THIS_MACHINE });
  });

  after(async () => {
    await app?.stop();
    await server?.stop();
  });

  test('is delivered the events that match, and no others', async () => {
    await using receiver = await Receiver.start();
    const listener = await listening(receiver, {
      sources: ['matching'],
      filter: 'data.body.json.total > 100',
    });
    for (const total of [50, 150, 100, 200]) await deliver(app, 'matching', { total }, `t${total}`);
    const delivered = await listener.untilDelivered('successful', 2);
    assert.deepEqual(receiver.ids.toSorted(), ['t150', 't200']);
    assert.deepEqual(
      delivered.map(({ message, attempts }) => [message, attempts.length]),
      [
        ['200 OK', 1],
        ['200 OK', 1],
      ],
    );
    const { deliveries, pending, failuresInRow, status } = await listener.view();
    assert.deepEqual(
      { deliveries, pending, failuresInRow, status },
      {
        deliveries: 2,
        pending: 0,
        failuresInRow: 0,
        status: 'active',
      },
    );
    // What succeeds at once has no workflow of its own.
    await assert.rejects(
      app.client.workflow.getHandle(deliveryWorkflowId(listener.id, 1)).describe(),
    );
  });

  test('is tried again until it takes it, with the same id, and its delivery is complete', async () => {
    let refusals = 2;
    await using receiver = await Receiver.start(() => (refusals-- > 0 ? 503 : 200));
    const listener = await listening(receiver, { sources: ['retried'] });
    await deliver(app, 'retried', { n: 1 }, 'tried');
    const [delivery] = await listener.untilDelivered('successful');
    assert.deepEqual(receiver.ids, ['tried', 'tried', 'tried']);
    assert.deepEqual(
      delivery?.attempts.map(({ activityId }) => activityId),
      ['1/1', '1/2', '1/3'],
    );
    const stored = await listener.stored(1);
    assert.deepEqual(await stored.result(), delivery);
    const memo = (await stored.describe()).memo as DeliveryMemo | undefined;
    assert.equal(memo?.delivery.status, 'successful');
    const attempts = await new DeliveryReader(app.client).readAttempts(
      listener.id,
      delivery?.attempts ?? [],
    );
    assert.deepEqual(
      attempts.map((attempt) => [attempt?.record?.message, attempt?.record?.reason]),
      [
        ['503 Service Unavailable', 'event'],
        ['503 Service Unavailable', 'retry'],
        ['200 OK', 'retry'],
      ],
    );
    const reader = new DeliveryReader(app.client);
    const workflowId = deliveryWorkflowId(listener.id, 1);
    assert.equal((await reader.readStoredEvent(workflowId, 'tried')).id, 'tried');
    // Never another one, should a listener that is not there any more have had the number.
    await assert.rejects(reader.readStoredEvent(workflowId, 'other'), /has event tried, and not/);
  });

  test('is not tried sooner than it asks for', async () => {
    let isFirst = true;
    await using receiver = await Receiver.start(() => {
      if (!isFirst) return 200;
      isFirst = false;
      return { status: 429, headers: { 'retry-after': '2' } };
    });
    const listener = await listening(receiver, { sources: ['after'] });
    await deliver(app, 'after', {});
    await listener.untilDelivered('successful');
    const [first, second] = receiver.received;
    assert.ok(second!.at - first!.at >= 1_900, `${second!.at - first!.at} ms`);
  });

  test('gets no more once it answers that it is gone', async () => {
    await using receiver = await Receiver.start(() => 410);
    const listener = await listening(receiver, { sources: ['gone'] });
    await deliver(app, 'gone', {}, 'first');
    const [delivery] = await listener.untilDelivered('failed');
    assert.equal(delivery?.message, '410 Gone');
    const { status, statusMessage } = await listener.view();
    assert.equal(status, 'inactive');
    assert.match(statusMessage, /wants no more/);
    await deliver(app, 'gone', {}, 'second');
    await listener.untilDelivered('skipped');
    assert.deepEqual(receiver.ids, ['first']);
  });

  test('is deactivated when nothing succeeds any more, with the reason in its memo', async () => {
    let status = 500;
    await using receiver = await Receiver.start(() => status);
    const listener = await listening(receiver, {
      sources: ['failing'],
      retryMs: [],
      failuresMax: 3,
      ordered: true,
    });
    await deliver(app, 'failing', {}, 'f1');
    await deliver(app, 'failing', {}, 'f2');
    await listener.untilDelivered('failed', 2);
    status = 200;
    await deliver(app, 'failing', {}, 's1');
    await listener.untilDelivered('successful');
    status = 404;
    for (const id of ['f3', 'f4', 'f5']) await deliver(app, 'failing', {}, id);
    await listener.untilDelivered('failed', 5);
    const memo = (await listener.handle.describe()).memo as ListenerMemo | undefined;
    assert.equal(memo?.status, 'inactive');
    assert.equal(memo.statusMessage, 'Delivery suspended due to too many delivery failures.');
    // A failed delivery is a failed workflow, with its message.
    const failed = await listener.stored(6);
    await assert.rejects(failed.result(), (error: unknown) => {
      assert.ok(error instanceof WorkflowFailedError);
      assert.ok(error.cause instanceof ApplicationFailure);
      assert.equal(error.cause.type, DELIVERY_FAILED);
      assert.equal(error.cause.message, '404 Not Found');
      assert.equal((error.cause.details?.[0] as Delivery | undefined)?.status, 'failed');
      return true;
    });
    const { changed, listener: view } = await listener.activate();
    assert.deepEqual([changed, view.statusMessage, view.failuresInRow], [true, 'Active', 0]);
    assert.equal((await listener.activate()).changed, false);
  });

  test('has on record what comes while it is inactive, and gets it when it is asked for again', async () => {
    await using receiver = await Receiver.start();
    const listener = await listening(receiver, { sources: ['skipped'] });
    assert.equal((await listener.deactivate('on holiday')).changed, true);
    assert.equal((await listener.deactivate('again')).changed, false);
    await deliver(app, 'skipped', { n: 1 }, 'missed');
    const [skipped] = await listener.untilDelivered('skipped');
    assert.deepEqual([skipped?.eventId, skipped?.attempts], ['missed', []]);
    assert.deepEqual(receiver.ids, []);
    await assertRefused(listener.redeliver(1), /is inactive/);
    await listener.activate();
    assert.deepEqual(await listener.redeliver(1), [2]);
    const [again] = await listener.untilDelivered('successful');
    assert.deepEqual([again?.number, again?.redeliveryOf, again?.eventId], [2, 1, 'missed']);
    const workflow = await listener.stored(2);
    assert.deepEqual(await workflow.result(), again);
    assert.deepEqual(receiver.ids, ['missed']);
    // Also what was delivered before, and is stored nowhere.
    await deliver(app, 'skipped', { n: 2 }, 'taken');
    await listener.untilDelivered('successful', 2);
    assert.deepEqual(await listener.redeliver(3), [4]);
    await listener.untilDelivered('successful', 3);
    assert.deepEqual(receiver.ids, ['missed', 'taken', 'taken']);
    const bodies = receiver.received.slice(1).map(({ body }) => body);
    assert.equal(bodies[0], bodies[1]);
  });

  test('refuses to deliver again what is pending, or never was', async () => {
    await using receiver = await Receiver.start(() => 500);
    const listener = await listening(receiver, { sources: ['again'], retryMs: [600_000] });
    await deliver(app, 'again', {});
    await listener.untilDelivered('pending');
    await assertRefused(listener.redeliver(1), /delivery 1 is pending/);
    await assertRefused(listener.redeliver(7), /there is no delivery 7/);
  });

  test('keeps the order, whatever fails', async () => {
    let answers = 0;
    await using receiver = await Receiver.start(() => ((answers += 1) % 3 === 0 ? 500 : 200));
    const listener = await listening(receiver, { sources: ['ordered'], ordered: true });
    const ids = Array.from({ length: 8 }, (_, index) => `o${index}`);
    for (const id of ids) await deliver(app, 'ordered', {}, id);
    await listener.untilDelivered('successful', ids.length);
    assert.deepEqual([...new Set(receiver.ids)], ids);
    assert.ok(receiver.ids.length > ids.length);
    assert.ok(receiver.received.every(({ atOnce }) => atOnce === 1));
    // Each follows only on the success of the one before.
    assert.deepEqual(receiver.ids, receiver.ids.toSorted());
  });

  test('gets so many requests at once, and not more', async () => {
    const held: Array<() => void> = [];
    await using receiver = await Receiver.start(async () => {
      await new Promise<void>((resolve) => held.push(resolve));
      return 200;
    });
    const listener = await listening(receiver, {
      sources: ['together'],
      concurrency: 3,
      timeoutMs: 60_000,
    });
    for (let n = 0; n < 9; n += 1) await deliver(app, 'together', { n });
    while (receiver.received.length < 9) {
      await until('three more have come', () => held.length >= 3);
      for (const release of held.splice(0)) release();
    }
    for (const release of held.splice(0)) release();
    await until('the last have come', () => {
      for (const release of held.splice(0)) release();
      return receiver.received.length === 9;
    });
    await listener.untilDelivered('successful', 9);
    assert.equal(Math.max(...receiver.received.map(({ atOnce }) => atOnce)), 3);
  });

  test('gets them no faster than its rate, those that are repeated as well', async () => {
    let answers = 0;
    await using receiver = await Receiver.start(() => ((answers += 1) % 4 === 0 ? 500 : 200));
    const listener = await listening(receiver, {
      sources: ['paced'],
      ratePerSecond: 4,
      retryMs: [10, 10, 10],
    });
    for (let n = 0; n < 6; n += 1) await deliver(app, 'paced', { n });
    await listener.untilDelivered('successful', 6);
    const times = receiver.received.map(({ at }) => at);
    assert.ok(times.length > 6);
    // An activity can be late, so that two of them are nearer than they began.
    assert.ok(times.at(-1)! - times[0]! >= (times.length - 2) * 250);
  });

  test('goes to its new address with what is pending', async () => {
    await using old = await Receiver.start(() => 500);
    await using receiver = await Receiver.start();
    const listener = await listening(old, { sources: ['moved'], retryMs: Array(100).fill(200) });
    await deliver(app, 'moved', {}, 'moving');
    await until('the old one has refused it', () => old.ids.length > 0);
    const { changed, listener: view } = await listener.change({ url: receiver.url });
    assert.deepEqual([changed, view.definition.url], [true, receiver.url]);
    assert.equal((await listener.change({ url: receiver.url })).changed, false);
    await listener.untilDelivered('successful');
    assert.deepEqual(receiver.ids, ['moving']);
    const memo = (await listener.handle.describe()).memo as ListenerMemo | undefined;
    assert.equal(memo?.definition.url, receiver.url);
  });

  test('gets what its new filter and sources say, and nothing twice', async () => {
    await using receiver = await Receiver.start();
    const listener = await listening(receiver, {
      sources: ['refiltered'],
      filter: 'data.body.json.n < 10',
    });
    await deliver(app, 'refiltered', { n: 5 }, 'n5');
    await listener.change({ sources: ['refiltered', 'other'], filter: 'data.body.json.n > 3' });
    await deliver(app, 'refiltered', { n: 6 }, 'n6');
    await deliver(app, 'refiltered', { n: 20 }, 'n20');
    await deliver(app, 'refiltered', { n: 1 }, 'n1');
    await deliver(app, 'other', { n: 7 }, 'n7');
    await listener.untilDelivered('successful', 4);
    assert.deepEqual(receiver.ids.toSorted(), ['n20', 'n5', 'n6', 'n7']);
    await assertRefused(listener.change({ filter: 'data.body.json.n >' }), /./);
    const { definition } = await listener.view();
    assert.equal(definition.filter, 'data.body.json.n > 3');
  });

  test('ends when it is removed, and what is pending fails', async () => {
    await using receiver = await Receiver.start(() => 500);
    const listener = await listening(receiver, { sources: ['removed'], retryMs: [600_000] });
    await deliver(app, 'removed', {});
    await listener.untilDelivered('pending');
    const stored = await listener.stored(1);
    const { changed, listener: view } = await listener.remove();
    assert.deepEqual([changed, view.status, view.pending], [true, 'removed', 0]);
    await listener.handle.result();
    await assert.rejects(stored.result(), (error: WorkflowFailedError) =>
      /the listener was removed/.test(error.cause?.message ?? ''),
    );
    const memo = (await listener.handle.describe()).memo as ListenerMemo | undefined;
    assert.equal(memo?.status, 'removed');
    await deliver(app, 'removed', {});
    assert.equal(receiver.received.length, 1);
  });

  test('does not begin with a filter that is wrong, and says why', async () => {
    const wanted = { sources: ['refused'], url: 'http://127.0.0.1:1', filter: 'data.x >' };
    const listener = await beginListener(app, wanted);
    await assertRefused(listener.ready(), /./);
    await assert.rejects(listener.handle.result(), WorkflowFailedError);
    const memo = (await listener.handle.describe()).memo as ListenerMemo | undefined;
    assert.equal(memo?.status, 'removed');
  });

  test('goes on in other runs, with what is on its way, and loses and repeats nothing', async () => {
    let answers = 0;
    await using receiver = await Receiver.start(() => ((answers += 1) % 5 === 0 ? 500 : 200));
    const wanted = { sources: ['long'], url: receiver.url, retryMs: Array(20).fill(300) };
    const listener = await startListener(app, wanted, { historyEventsMax: 60 });
    const first = (await listener.handle.describe()).runId;
    const ids = Array.from({ length: 60 }, (_, index) => `l${index}`);
    for (const id of ids) await deliver(app, 'long', {}, id);
    const delivered = await listener.untilDelivered('successful', ids.length);
    assert.notEqual((await listener.handle.describe()).runId, first);
    assert.deepEqual(new Set(receiver.ids), new Set(ids));
    assert.deepEqual(
      delivered.map(({ number }) => number),
      ids.map((_, index) => index + 1),
    );
    assert.equal(receiver.ids.length, ids.length + Math.floor(answers / 5));
    // What was tried in several runs is on record in each of them.
    const reader = new DeliveryReader(app.client);
    for (const { attempts } of delivered) {
      const records = await reader.readAttempts(listener.id, attempts);
      assert.ok(records.every((attempt) => attempt?.record));
    }
    const runs = new Set(delivered.flatMap(({ attempts }) => attempts.map(({ runId }) => runId)));
    assert.ok(runs.size > 1);
  });

  test('stores what it has no room for, and delivers it all', async () => {
    let isOpen = false;
    await using receiver = await Receiver.start(() => (isOpen ? 200 : 500));
    const listener = await listening(receiver, {
      sources: ['large'],
      concurrency: 1,
      retryMs: Array(100).fill(500),
    });
    const text = 'x'.repeat(60_000);
    const ids = Array.from({ length: 12 }, (_, index) => `x${index}`);
    for (const id of ids) await deliver(app, 'large', { text }, id);
    await listener.stored(12);
    isOpen = true;
    await listener.untilDelivered('successful', ids.length);
    assert.deepEqual(new Set(receiver.ids), new Set(ids));
  });

  test('has each of its pending deliveries found as it is, however many there are', async () => {
    const texts = new Texts();
    const nextAttemptAt = Date.now() + 3_600_000;
    const pending = Array.from({ length: 1_500 }, (_, index) => {
      const key = { eventId: `e${index}`, source: 'found', type: 'order.paid' };
      return { ...pack(newDelivery(index + 1, key, Date.now()), texts), t: nextAttemptAt };
    });
    const state = { ...NOTHING, lastNumber: 1_500, pending, texts: texts.all, subscriptions: [] };
    const wanted = { sources: ['found'], url: 'http://127.0.0.1:9/' };
    const { id } = await startListener(app, wanted, { state });
    const { listeners } = createListeners(app.client, app.config);
    const found = await listeners?.deliveries.find(id, 7);
    assert.deepEqual([found?.number, found?.eventId, found?.status], [7, 'e6', 'pending']);
    assert.equal(found?.nextAttemptAt, new Date(nextAttemptAt).toISOString());
  });

  test('takes an event whose id is as long and as odd as may be', async () => {
    let answers = 0;
    await using receiver = await Receiver.start(() => ((answers += 1) === 1 ? 500 : 200));
    const listener = await listening(receiver, { sources: ['odd'] });
    const id = '"\\'.repeat(128);
    await deliver(app, 'odd', {}, id);
    await listener.untilDelivered('successful');
    assert.deepEqual(receiver.ids, [id, id]);
  });

  test('does not use a number again when its workflow is reset', async () => {
    await using receiver = await Receiver.start(() => 500);
    const listener = await listening(receiver, { sources: ['reset'], retryMs: [600_000] });
    await deliver(app, 'reset', {}, 'before');
    await listener.untilDelivered('pending');
    await listener.stored(1);
    await reset(listener);
    receiver.react = () => 200;
    await deliver(app, 'reset', {}, 'after');
    const [delivery] = await listener.untilDelivered('successful');
    assert.ok(delivery!.number > 10_000, String(delivery?.number));
    assert.equal(delivery?.eventId, 'after');
  });

  test('sends no event of a listener that had its id before', async () => {
    await using receiver = await Receiver.start(() => 500);
    const id = `before-${randomUUID()}`;
    const key = { eventId: 'theirs', source: 'taken', type: 'post' };
    const delivery = newDelivery(1, key, Date.now());
    const event = {
      id: 'theirs',
      source: 'taken',
      type: 'post',
      time: delivery.createdAt,
      data: 1,
    };
    const queue = listenerTaskQueue(app.taskQueue);
    await new DeliveryClient(app.client).store(id, { delivery, event }, queue);
    const wanted = { sources: ['taken'], url: receiver.url };
    const listener = await startListener(app, wanted, { id });
    await deliver(app, 'taken', {}, 'ours');
    const [failed] = await listener.untilDelivered('failed');
    assert.deepEqual([failed?.number, failed?.eventId], [1, 'ours']);
    assert.match(failed?.message ?? '', /not on record/);
    assert.deepEqual(receiver.ids, ['ours']);
  });

  test('takes what came while no worker was there', async () => {
    await using receiver = await Receiver.start();
    const listener = await listening(receiver, { sources: ['many'] });
    await app.stopWorker();
    const ids = Array.from({ length: 20 }, (_, index) => `m${index}`);
    for (const id of ids) await app.post('many', {}, id);
    await app.startWorker();
    await listener.untilDelivered('successful', ids.length);
    assert.deepEqual(receiver.ids.toSorted(), ids.toSorted());
  });

  test('is sent again what was on its way when its worker was shut down', async () => {
    let answers = false;
    await using receiver = await Receiver.start(() => (answers ? 200 : undefined));
    const wanted = { sources: ['shut'], timeoutMs: 60_000 };
    const listener = await listening(receiver, wanted);
    await deliver(app, 'shut', {}, 'shut');
    await until('it has been sent', () => receiver.received.length === 1);
    await app.stopWorker();
    answers = true;
    await app.startWorker();
    const [delivery] = await listener.untilDelivered('successful');
    assert.deepEqual(receiver.ids, ['shut', 'shut']);
    assert.equal(delivery?.attempts.length, 1);
  });

  test('costs one activity for what succeeds at once', async () => {
    await using receiver = await Receiver.start();
    const listener = await listening(receiver, { sources: ['reading'] });
    await deliver(app, 'reading', {});
    await listener.untilDelivered('successful');
    const history = await historyOf(listener.handle);
    assert.equal(count(history, 'activity_task_scheduled'), 1);
    assert.equal(count(history, 'timer_started'), 0);
    assert.equal(count(history, 'workflow_execution_signaled'), 1);
  });

  function listening(receiver: Receiver, wanted: Omit<Wanted, 'url'>): Promise<TestListener> {
    return startListener(app, { ...wanted, url: receiver.url });
  }

  /** To its newest task. */
  async function reset({ handle }: TestListener): Promise<void> {
    const { events } = await handle.fetchHistory();
    const finished = events?.findLast((event) => event.workflowTaskCompletedEventAttributes);
    await app.client.workflowService.resetWorkflowExecution({
      namespace: app.server.namespace,
      workflowExecution: { workflowId: handle.workflowId },
      reason: 'test',
      requestId: randomUUID(),
      workflowTaskFinishEventId: finished?.eventId ?? null,
    });
  }
});

/** What is asked of a listener is refused, and the message says why. */
async function assertRefused(asked: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(asked, (error: unknown) => {
    assert.ok(error instanceof WorkflowUpdateFailedError, String(error));
    assert.match(error.cause?.message ?? '', message);
    return true;
  });
}
