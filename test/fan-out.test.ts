// What it costs an event that many wait on its source: nothing, if they wait for others; and
// little, if they all wait for it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Client, type WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';

import type { Progress } from '../activities/backlog.ts';
import { connectWithoutRetry, createDispatcher } from '../dispatch/dispatcher.ts';
import { Lanes } from '../dispatch/lanes.ts';
import { sideBySide } from '../dispatch/side-by-side.ts';
import { SourceClient } from '../dispatch/source-client.ts';
import { FAN_OUT_MAX } from '../dispatch/source-dispatcher.ts';
import type { Event } from '../events/event.ts';
import { webhook } from '../ingress/sources/webhook.ts';
import { startIngress } from '../testing/ingress.ts';
import { sourceWorkflowId } from '../workflows/messages.ts';
import {
  post,
  startApp,
  startProcess,
  startServer,
  until,
  untilReceived,
  untilSubscribed,
  type TestApp,
  type TestServer,
} from './harness.ts';
import { SIGNALS_PER_RUN } from '../workflows/source.ts';
import { count, heldBy, historyOf, NO_WARM_UP, warmUp } from './observe.ts';
import { resultOf } from './received.ts';
import type { Received } from './workflows/listening.ts';

const { EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: SIGNALED } = proto.temporal.api.enums.v1.EventType;

/** How many wait on a source, for other events than those that are posted, all but one. */
const CROWDS = [1, 100, 10_000] as const;

/** How many events are measured for each crowd. */
const ROUNDS = 60;

/** How many times as long an answer may take with a crowd as with one; a busy machine doubles it. */
const SLOWER_MAX = 4;

/** Registrations in one signal: well under the 2 MiB that it may have. */
const BATCH = 500;

/** How many signals a source is sent at once. */
const SIGNALS_AT_ONCE = 50;

/** How many workflows want the same event. */
const MATCHES = 100;

/** How long the way to Temporal is made, there and back, for signals in turn to be seen. */
const ROUND_TRIP_MS = 60;

/** How many round trips all signals may take; in turn they would take one each. */
const ROUND_TRIPS_MAX = 30;

/** How many workflows want an event that goes to them by way of the backlog. */
const MASSES = 1_000;

/** How long the way of the worker to Temporal is then, so that it is killed on its way to them. */
const LONG_TRIP_MS = 250;

/** How many events of another source are measured before it, and how long their answer may take. */
const ASIDE = 20;
const ASIDE_MS_MAX = 1_000;

let server: TestServer;
let app: TestApp;
before(async () => {
  server = await startServer();
  const sources = [...CROWDS.map((size) => sourceOf(size)), 'everyone', 'continuing'];
  app = await startApp(server, { sources });
});
after(async () => {
  await app?.stop();
  await server?.stop();
});

describe('An event', { timeout: 300_000 }, () => {
  test(`D17: is answered as soon with ${CROWDS.join(', ')} waiting as with one, if one wants it`, async (t) => {
    const listeners: WorkflowHandle[] = [];
    const others: WorkflowHandle[] = [];
    for (const size of CROWDS) {
      const source = sourceOf(size);
      const wanted = "data.body.json.key == 'wanted'";
      listeners.push(await startListening(source, wanted));
      // A hundred that are there, for each of whom a signal would be in its history.
      const real = size === 100 ? size - 1 : 0;
      const starting = Array.from({ length: real }, (_, index) =>
        startListening(source, `data.body.json.key == 'other ${index}'`),
      );
      others.push(...(await Promise.all(starting)));
      await fill(source, size - 1 - real);
      await warmUp(app, source);
    }
    const lengths = await Promise.all(others.map(lengthOf));
    const tookMs = new Map<number, number[]>(CROWDS.map((size) => [size, []]));
    let queued = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      // In turn, so that whatever else the machine does falls on all of them alike.
      for (const size of CROWDS) {
        const startedAt = performance.now();
        const posted = await app.post(sourceOf(size), { key: 'wanted' }, `e${round}`);
        tookMs.get(size)?.push(performance.now() - startedAt);
        assert.equal(posted.status, 202);
        if (posted.queued) queued += 1;
        else assert.equal(posted.signalled, 1);
      }
    }
    const p50 = CROWDS.map((size) => medianOf(tookMs.get(size) ?? []));
    const told = CROWDS.map((size, index) => `${size}: ${p50[index]?.toFixed(1)} ms`).join(', ');
    t.diagnostic(`p50 of the answer by the number of subscriptions: ${told}; queued: ${queued}`);
    const [one = 0, ...more] = p50;
    for (const each of more) assert.ok(each < SLOWER_MAX * one, told);
    for (const listener of listeners) {
      const { received } = await untilReceived(listener, ROUNDS);
      assert.deepEqual(
        received.map(({ id }) => id),
        Array.from({ length: ROUNDS }, (_, round) => `e${round}`),
      );
    }
    assert.deepEqual(await Promise.all(others.map(lengthOf)), lengths);
  });

  test('D17: reaches the one of 10000 on a source that holds more than a next run could be given', async () => {
    const source = 'continuing';
    const client = new SourceClient(app.client);
    const listener = await startListening(source, NO_WARM_UP);
    await fill(source, 9_999);
    const { runId } = (await client.describe(source)) ?? {};
    for (let sent = 0; sent < 1.2 * SIGNALS_PER_RUN; sent += SIGNALS_AT_ONCE) {
      // Of nobody: each counts as a signal, and changes nothing that anybody holds.
      const ids = Array.from({ length: SIGNALS_AT_ONCE }, () => randomUUID());
      await Promise.all(ids.map((id) => client.unregister(source, [id])));
    }
    const described = await until('it has taken them all', async () => {
      const found = await client.describe(source).catch(() => undefined);
      return found?.isPending === false && found;
    });
    assert.ok(described.isRunning && described.runId === runId, 'its source was ended');
    assert.ok((described.memo?.version ?? 0) >= 10_000 + SIGNALS_PER_RUN);
    assert.equal((await app.post(source, {}, 'event')).status, 202);
    await untilReceived(listener, 1);
  });

  test(`D18: for ${MATCHES} workflows is signalled to all of them side by side`, async (t) => {
    const source = 'everyone';
    const first = await startListening(source, `${NO_WARM_UP} && has(data.body.json.one)`);
    const starting = Array.from({ length: MATCHES }, () =>
      startListening(source, `${NO_WARM_UP} && has(data.body.json.all)`),
    );
    const all = await Promise.all(starting);
    await warmUp(app, source);
    const far = await farFrom(server.address, ROUND_TRIP_MS);
    const dispatcher = await createDispatcher({
      connectionOptions: { address: far.address },
      namespace: 'default',
      sources: [source],
      triggers: [],
    });
    try {
      const oneMs = await timeOf('one', 1);
      const allMs = await timeOf('all', MATCHES);
      const spreadMs = await spreadOf(all);
      t.diagnostic(
        `one took ${oneMs.toFixed(0)} ms, ${MATCHES} took ${allMs.toFixed(0)} ms; ` +
          `the last signal was ${spreadMs.toFixed(0)} ms after the first`,
      );
      assert.ok(allMs < ROUND_TRIPS_MAX * ROUND_TRIP_MS, `it took ${allMs} ms`);
      assert.ok(spreadMs < ROUND_TRIPS_MAX * ROUND_TRIP_MS, `${spreadMs} ms between the signals`);
      await untilReceived(first, 1);
      for (const handle of all) await untilReceived(handle, 1);
    } finally {
      await dispatcher.close();
      await far.close();
    }

    /** The time until it is durable with all; of an event that no busy machine sent into the backlog. */
    async function timeOf(key: 'one' | 'all', signalled: number): Promise<number> {
      return until(`an event is signalled to ${signalled} at once`, async () => {
        const id = randomUUID();
        const startedAt = performance.now();
        const dispatched = await dispatcher.dispatch(eventOf(source, id, key));
        if (dispatched.queued) return undefined;
        assert.equal(dispatched.signalled, signalled);
        return performance.now() - startedAt;
      });
    }
  });
});

describe('Signals', { timeout: 120_000 }, () => {
  test('of one source for very many leave room for those of others', async () => {
    const far = await farFrom(server.address, LONG_TRIP_MS);
    const connection = await connectWithoutRetry({ address: far.address });
    try {
      const lanes = new Lanes(new Client({ connection, namespace: 'default' }), 60_000);
      let settled = 0;
      const pushing = Array.from({ length: 2 * FAN_OUT_MAX }, async () => {
        // Of nobody: what becomes of it takes one trip all the same.
        assert.equal(await push(lanes, 'busy'), 'gone');
        settled += 1;
      });
      assert.equal(await push(lanes, 'quiet'), 'gone');
      const earlier = settled;
      await Promise.all(pushing);
      assert.ok(earlier < FAN_OUT_MAX / 2, `${earlier} were before it`);
    } finally {
      await connection.close();
      await far.close();
    }
  });
});

describe('An event for very many', { timeout: 600_000 }, () => {
  test(`reaches ${MASSES} workflows once each and goes on where it was when the worker is killed`, async (t) => {
    assert.ok(MASSES > 2 * FAN_OUT_MAX);
    const way = await farFrom(server.address, 0);
    const sources = new Map(
      ['masses', 'aside'].map((name) => [name, webhook({ verify: 'none' })] as const),
    );
    const ingress = await startIngress(server, { sources, triggers: [] });
    let worker = await startWorker(way.address);
    try {
      const handles = await startMasses();
      await startOne('listen', { subscriptions: [['aside', '']], count: 1_000_000 }, 'aside');
      await untilHeld('aside', 1);
      const { subscriptions } = await heldBy(server.client, 'masses');
      const places = subscriptions.toSorted((one, other) => one.seq - other.seq);
      const last = handles.get(places.at(-1)?.workflowId ?? '');
      assert.ok(last !== undefined);

      const calmMs = await timeAside(ingress.url, (posted) => posted === ASIDE);
      way.moveAway(LONG_TRIP_MS);
      const startedAt = performance.now();
      const first = await post(ingress.url, { source: 'masses', body: {}, id: 'first' });
      const answeredMs = performance.now() - startedAt;
      assert.deepEqual([first.status, first.queued], [202, true]);
      let isOver = false;
      const asideMs = timeAside(ingress.url, () => isOver);
      await until('some have it', async () => (await progressOfMasses()).upTo > MASSES / 10);
      isOver = true;
      const besideMs = await asideMs;
      await worker.kill();
      const { upTo, ...progress } = await progressOfMasses();
      assert.deepEqual(progress, { done: 0, begun: 1 });
      assert.equal(count(await historyOf(last), 'workflow_execution_signaled'), 0);
      assert.equal(
        (await post(ingress.url, { source: 'masses', body: {}, id: 'second' })).status,
        202,
      );
      worker = await startWorker(server.address);

      await sideBySide(handles.values(), 20, async (handle) => {
        const received = await resultOf<Received[]>(handle);
        assert.deepEqual(
          received.map(({ id }) => id),
          ['first', 'second'],
          handle.workflowId,
        );
      });
      // Who had it before the worker was killed was not signalled again.
      const served = places.filter(({ seq }) => seq <= upTo);
      assert.ok(served.length >= MASSES / 10 && served.length < MASSES);
      await sideBySide(served, 20, async ({ workflowId }) => {
        const history = await historyOf(server.client.workflow.getHandle(workflowId));
        assert.equal(count(history, 'workflow_execution_signaled'), 2, workflowId);
      });
      const told =
        `answered in ${answeredMs.toFixed(0)} ms; ${served.length} had it when the worker was killed; ` +
        `another source answered in ${calmMs.toFixed(0)} ms before, and in ${besideMs.toFixed(0)} beside it`;
      t.diagnostic(told);
      assert.ok(besideMs < ASIDE_MS_MAX, told);
    } finally {
      await worker.kill();
      await ingress.stop();
      await way.close();
    }
  });
});

/** What becomes of an event for a workflow that is not there. */
function push(lanes: Lanes, source: string) {
  const target = { workflowId: `nobody-${randomUUID()}`, firstRunId: '' };
  return lanes.push(target, { event: eventOf(source, randomUUID(), 'one'), subscriptions: [] });
}

/** A process that runs the workflows that are many, and their source. */
function startWorker(address: string) {
  return startProcess('worker', {
    TEMPORAL_ADDRESS: address,
    NEXTEVENT_CONFIG: fileURLToPath(new URL('fan-out.config.ts', import.meta.url)),
  });
}

function startOne(type: string, input: unknown, workflowId: string) {
  const options = { workflowId, taskQueue: 'fan-out', args: [input] };
  return server.client.workflow.start(type, options);
}

/** Workflows by their ids, all of which have subscribed. */
async function startMasses(): Promise<Map<string, WorkflowHandle>> {
  const handles = new Map<string, WorkflowHandle>();
  const ids = Array.from({ length: MASSES }, (_, index) => `mass-${index}`);
  await sideBySide(ids, 20, async (id) => {
    const input = { subscriptions: [['masses', '']], count: 2 };
    handles.set(id, await startOne('listen', input, id));
  });
  await untilHeld('masses', MASSES);
  return handles;
}

async function untilHeld(source: string, size: number): Promise<void> {
  const client = new SourceClient(server.client);
  await until(`${source} holds ${size} subscriptions`, async () => {
    const described = await client.describe(source).catch(() => undefined);
    return described?.memo?.subscriptions === size && !described.isPending;
  });
}

/** What the server knows of how far the dispatch is. */
async function progressOfMasses(): Promise<Progress> {
  const { raw } = await server.client.workflow.getHandle(sourceWorkflowId('masses')).describe();
  const [payload] = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads ?? [];
  const text = payload?.data && Buffer.from(payload.data).toString();
  return text ? (JSON.parse(text) as Progress) : { done: 0, begun: 0, upTo: 0 };
}

/** The median time until an event of another source is answered; one after the other, until it is over. */
async function timeAside(url: string, isOver: (posted: number) => boolean): Promise<number> {
  const tookMs: number[] = [];
  while (!isOver(tookMs.length)) {
    const startedAt = performance.now();
    const posted = await post(url, { source: 'aside', body: {} });
    tookMs.push(performance.now() - startedAt);
    assert.equal(posted.status, 202);
  }
  return medianOf(tookMs);
}

function sourceOf(size: number): string {
  return `crowd-of-${size}`;
}

async function startListening(source: string, filter: string): Promise<WorkflowHandle> {
  const handle = await app.start('listen', { subscriptions: [[source, filter]], count: 1_000_000 });
  await untilSubscribed(handle, 1);
  return handle;
}

/** Registers subscriptions of workflows that are not there, each to a key of its own. */
async function fill(source: string, subscriptions: number): Promise<void> {
  const client = new SourceClient(app.client);
  for (let done = 0; done < subscriptions; done += BATCH) {
    const registrations = Array.from({ length: Math.min(BATCH, subscriptions - done) }, () => {
      const id = randomUUID();
      const filter = `data.body.json.key == '${id}'`;
      return { id, filter, workflowId: `nobody-${id}`, firstRunId: id };
    });
    await client.register(source, { registrations });
  }
  await until(`${source} holds ${subscriptions}`, async () => {
    const { memo } = (await client.describe(source)) ?? {};
    return memo !== undefined && memo.version > subscriptions;
  });
}

async function lengthOf(handle: WorkflowHandle): Promise<number> {
  return (await historyOf(handle)).length;
}

/** The time between the first and the last signal of the last event to these workflows. */
async function spreadOf(handles: readonly WorkflowHandle[]): Promise<number> {
  const times = await Promise.all(
    handles.map(async (handle) => {
      const { events } = await handle.fetchHistory();
      const last = (events ?? []).findLast(({ eventType }) => eventType === SIGNALED)?.eventTime;
      return Number(last?.seconds ?? 0) * 1_000 + (last?.nanos ?? 0) / 1_000_000;
    }),
  );
  return Math.max(...times) - Math.min(...times);
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function eventOf(source: string, id: string, key: string): Event {
  const data = { body: { json: { [key]: true } } };
  return { id, source, type: 'post', time: new Date().toISOString(), data };
}

/** A way to a server that is as long as this, and may become longer. */
async function farFrom(address: string, roundTripMs: number) {
  const [host, port] = address.split(':');
  let halfMs = roundTripMs / 2;
  const sockets = new Set<Socket>();
  const carry = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on('data', (chunk) => setTimeout(() => to.writable && to.write(chunk), halfMs));
    from.on('close', () => to.destroy());
    from.on('error', () => to.destroy());
  };
  const listener = createServer((near) => {
    const there = connect(Number(port), host);
    carry(near, there);
    carry(there, near);
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    address: `127.0.0.1:${(listener.address() as AddressInfo).port}`,
    moveAway(furtherMs: number) {
      halfMs += furtherMs / 2;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}
