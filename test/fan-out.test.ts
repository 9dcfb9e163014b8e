// What it costs an event that many wait on its source: nothing, if they wait for others; and
// little, if they all wait for it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { Client, type WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';

import { connectWithoutRetry, createDispatcher } from '../dispatch/dispatcher.ts';
import { Lanes } from '../dispatch/lanes.ts';
import { sideBySide } from '../dispatch/side-by-side.ts';
import { FAN_OUT_MAX } from '../dispatch/source-dispatcher.ts';
import type { Event } from '../events/event.ts';
import {
  startApp,
  startServer,
  until,
  untilReceived,
  untilSubscribed,
  type TestApp,
  type TestServer,
} from './harness.ts';
import { farFrom } from './far.ts';
import { SIGNALS_PER_RUN } from '../workflows/source-run.ts';
import { PatientSource } from './patient-source.ts';
import { untilShown } from './rounds.ts';
import { historyOf, NO_WARM_UP, untilNextRun, warmUp } from './observe.ts';

const { EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: SIGNALED } = proto.temporal.api.enums.v1.EventType;

/** How many wait on a source, for other events than those that are posted, all but one. */
const CROWDS = [1, 100, 10_000] as const;

/** How many events are measured for each crowd. */
const ROUNDS = 60;

/** How many times as long an answer may take with a crowd as with one; a busy machine doubles it. */
const SLOWER_MAX = 4;

/** Registrations in one signal: well under the 2 MiB that it may have. */
const BATCH = 500;

/** How many signals a source is sent at once: they come one after the other, each within two seconds. */
const SIGNALS_AT_ONCE = 8;

/** How many workflows want the same event. */
const MATCHES = 100;

/** How long the way to Temporal is made, there and back, for signals in turn to be seen. */
const ROUND_TRIP_MS = 60;

/** How many round trips all signals may take; in turn they would take one each. */
const ROUND_TRIPS_MAX = 30;

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

describe('An event', { timeout: 900_000 }, () => {
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
        assert.equal(posted.status, 202);
        // A busy machine sends one by way of the backlog, which takes longer with whatever crowd.
        if (posted.queued) queued += 1;
        else {
          assert.equal(posted.signalled, 1);
          tookMs.get(size)?.push(performance.now() - startedAt);
        }
      }
    }
    for (const took of tookMs.values()) {
      assert.ok(took.length > ROUNDS / 2, `${queued} were queued`);
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

  test('D17: reaches the one of 10000 on a source that holds more than a next run could be given: it continues as new all the same', async () => {
    const source = 'continuing';
    const client = new PatientSource(app.client);
    const listener = await startListening(source, NO_WARM_UP);
    await fill(source, 9_999);
    const { runId } = (await client.describe(source)) ?? {};
    // Of nobody: each counts as a signal, and changes nothing that anybody holds.
    await sideBySide(Array.from({ length: 1.2 * SIGNALS_PER_RUN }), SIGNALS_AT_ONCE, () =>
      client.unregister(source, [randomUUID()]),
    );
    const described = await untilNextRun(client, source, runId);
    assert.ok(described.isRunning, 'its source was ended');
    assert.ok((described.memo?.version ?? 0) >= 10_000 + SIGNALS_PER_RUN);
    assert.ok((described.memo?.segments ?? 0) > 0, 'it holds all in one piece');
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
      await untilShown('it took less than signals in turn', async () => {
        const oneMs = await timeOf('one', 1);
        const allMs = await timeOf('all', MATCHES);
        const spreadMs = await spreadOf(all);
        t.diagnostic(
          `one took ${oneMs.toFixed(0)} ms, ${MATCHES} took ${allMs.toFixed(0)} ms; ` +
            `the last signal was ${spreadMs.toFixed(0)} ms after the first`,
        );
        return Math.max(allMs, spreadMs) < ROUND_TRIPS_MAX * ROUND_TRIP_MS;
      });
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

describe('Signals', { timeout: 900_000 }, () => {
  test('of one source for very many leave room for those of others', async () => {
    const far = await farFrom(server.address, ROUND_TRIP_MS);
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

/** What becomes of an event for a workflow that is not there. */
function push(lanes: Lanes, source: string) {
  const target = { workflowId: `nobody-${randomUUID()}`, firstRunId: '' };
  return lanes.push(target, { event: eventOf(source, randomUUID(), 'one'), subscriptions: [] });
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
  const client = new PatientSource(app.client);
  for (let done = 0; done < subscriptions; done += BATCH) {
    const registrations = Array.from({ length: Math.min(BATCH, subscriptions - done) }, () => {
      const id = randomUUID();
      const filter = `data.body.json.key == '${id}'`;
      return { id, filter, workflowId: `nobody-${id}`, firstRunId: id };
    });
    await client.register(source, { registrations });
  }
  await until(`${source} holds ${subscriptions}`, async () => {
    const { memo } = (await client.describe(source).catch(() => undefined)) ?? {};
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
