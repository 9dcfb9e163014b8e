// A workflow that reads too little, and a server that has too much to do: Temporal's own limits
// are never reached, nothing that was acknowledged is lost, and others are not disturbed.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import type { WorkflowHandle } from '@temporalio/client';

import { freePort } from '../dev/ports.ts';
import { sideBySide } from '../dispatch/side-by-side.ts';
import { eventSignal } from '../workflows/messages.ts';
import { SIGNALS_PER_RUN_MAX } from '../workflows/run-limits.ts';
import {
  post,
  postUntilAccepted,
  progressOf,
  startApp,
  startServer,
  until,
  untilSubscribed,
  type TestApp,
  type TestServer,
} from './harness.ts';
import { goOn, untilDispatched } from './observe.ts';
import { receivedBy, resultOf, startCollecting } from './received.ts';
import type { HoardInput } from './workflows/hoarding.ts';

const KIB = 1024;

/** How many requests are on their way at once. */
const SENDERS = 48;

/** So many signals come while a worker is away, of those that suspend a workflow. */
const SIGNALS_AT_ONCE = SIGNALS_PER_RUN_MAX / 4;

/** What the server lets a namespace do. */
const REQUESTS_PER_SECOND = 50;

/** An event that starts a workflow and wakes another takes two, and its source is looked at. */
const REQUESTS_PER_EVENT_MAX = 5;

const REQUESTS =
  /^service_requests\{namespace="default",operation="(\w+)",service_name="frontend"\} (\d+)/;

const OF_THE_INGRESS: readonly string[] = [
  'StartWorkflowExecution',
  'SignalWorkflowExecution',
  'SignalWithStartWorkflowExecution',
  'DescribeWorkflowExecution',
  'QueryWorkflow',
];

describe('A subscriber that does not read', () => {
  let server: TestServer;
  before(async () => {
    server = await startServer();
  });
  after(() => server.stop());

  test('is suspended at 35 MiB and told, others go on, and its next run gets events again', async () => {
    const app = await startApp(server, { sources: ['hoarded'] });
    try {
      const hoarding = await app.start('hoard', { source: 'hoarded', received: [] });
      await untilSubscribed(hoarding, 1);
      const reading = await startCollecting(app, [['hoarded', 'has(data.body.json.small)']]);
      const ids = await fill(app, 'hoarded', hoarding);
      await app.post('hoarded', { small: true }, 'not for the one that is suspended');
      await goOn(hoarding);
      await until('it has continued as new and gets events again', async () => {
        return (await suspendedOf(app, 'hoarded')).length === 0;
      });
      await app.post('hoarded', { small: true }, 'end');
      const { received, thrown } = await resultOf<HoardInput>(hoarding);
      assert.equal(thrown, 'SubscriptionOverflowError, suggested');
      // The last one may have come when it was suspended already.
      const got = received.map(({ id }) => id);
      assert.ok(got.length >= ids.length, `${got.length} of ${ids.length} and the end`);
      assert.deepEqual(got, [...ids.slice(0, got.length - 1), 'end']);
      assert.deepEqual(await receivedBy(reading), ['not for the one that is suspended']);
    } finally {
      await app.stop();
    }
  });

  test('is suspended at 8,000 signals, also by what a run before has subscribed to', async () => {
    const app = await startApp(server, { sources: ['signalled'] });
    try {
      const input = { source: 'signalled', received: [], handsOn: true };
      const hoarding = await app.start('hoard', input);
      await untilSubscribed(hoarding, 1);
      // Of those that a reused workflow id would get: they count, and are for nobody. A worker
      // would take them one by one, and they would come while its tasks are on their way.
      for (let sent = 0; sent < SIGNALS_PER_RUN_MAX; sent += SIGNALS_AT_ONCE) {
        await app.stopWorker();
        await sideBySide(Array.from({ length: SIGNALS_AT_ONCE }), SENDERS, () =>
          hoarding.signal(eventSignal, { to: '', events: [] }),
        );
        await app.startWorker();
        await until('it has taken them', () => progressOf(hoarding).catch(() => undefined));
      }
      await until(
        'it is suspended',
        async () => (await suspendedOf(app, 'signalled')).length === 1,
      );
      await goOn(hoarding);
      await until('its next run is not', async () => {
        return (await suspendedOf(app, 'signalled')).length === 0;
      });
      await app.post('signalled', {}, 'end');
      assert.equal((await resultOf<HoardInput>(hoarding)).received.length, 1);
    } finally {
      await app.stop();
    }
  });

  test('and has no worker is sent no more than it survives; what it misses is counted', async () => {
    const app = await startApp(server, { sources: ['unattended'] });
    try {
      const hoarding = await app.start('hoard', { source: 'unattended', received: [] });
      await untilSubscribed(hoarding, 1);
      await app.post('unattended', {}, 'first');
      await app.stopWorker();
      const filling = 'x'.repeat(1_000 * KIB);
      const ids = Array.from({ length: 55 }, (_, n) => `event ${n}`);
      for (const id of ids) {
        await postUntilAccepted([app.ingress.url], { source: 'unattended', id, body: { filling } });
      }
      assert.equal((await hoarding.describe()).status.name, 'RUNNING');
      await app.startWorker();
      await until('it is suspended', async () => {
        return (await suspendedOf(app, 'unattended')).length > 0;
      });
      await untilDispatched(app, 'unattended');
      const [status] = await suspendedOf(app, 'unattended');
      const missed = status?.undeliverable ?? 0;
      assert.ok(missed > 0, 'nothing was counted');
      await goOn(hoarding);
      await until('its next run gets events again', async () => {
        return (await suspendedOf(app, 'unattended')).length === 0;
      });
      await postUntilAccepted([app.ingress.url], { source: 'unattended', id: 'end', body: {} });
      const { received } = await resultOf<HoardInput>(hoarding);
      const got = received.map(({ id }) => id).filter((id) => id.startsWith('event'));
      assert.deepEqual(got, ids.slice(0, got.length));
      assert.equal(got.length + missed, ids.length);
    } finally {
      await app.stop();
    }
  });
});

describe('A server that is overloaded', () => {
  test('is left alone: 503 with Retry-After, no storm of calls, and nothing is lost', async () => {
    const metricsPort = await freePort();
    const server = await startServer({
      arguments: [
        `--dynamic-config-value=frontend.namespaceRPS=${REQUESTS_PER_SECOND}`,
        `--metrics-port=${metricsPort}`,
      ],
    });
    const app = await startApp(server, {
      sources: ['busy'],
      triggers: [
        {
          name: 'on-busy',
          source: 'busy',
          filter: 'data.body.json.start',
          workflow: 'returnEvent',
        },
      ],
    });
    try {
      const collecting = await startCollecting(app, [['busy', '']]);
      const ids: string[] = [];
      const answers = new Map<number, number>();
      const requestsBefore = await requestsAt(metricsPort);
      // A machine that is slow itself needs more of them.
      await until('there was too much to do', async () => {
        const more = Array.from({ length: 150 }, (_, n) => `event ${ids.length + n}`);
        ids.push(...more);
        await sideBySide(more, SENDERS, async (id) => {
          const source = { source: 'busy', id, body: { start: true } };
          const { status } = await post(app.ingress.url, source);
          answers.set(status, (answers.get(status) ?? 0) + 1);
        });
        return answers.has(503);
      });
      // The server's figures come late: wait until those are in that must be.
      const accepted = answers.get(202) ?? 0;
      const requests = await until('the server has counted them', async () => {
        const counted = (await requestsAt(metricsPort)) - requestsBefore;
        return counted >= accepted && counted;
      });
      const told = `${[...answers].join('; ')}; ${requests} requests`;
      assert.deepEqual([...answers.keys()].toSorted(), [202, 503], told);
      assert.ok(requests < REQUESTS_PER_EVENT_MAX * ids.length, told);
      for (const id of ids) {
        const body = { start: true };
        await postUntilAccepted([app.ingress.url], { source: 'busy', id, body });
      }
      await postUntilAccepted([app.ingress.url], { source: 'busy', id: 'end', body: {} });
      const received = await receivedBy(collecting);
      assert.deepEqual(received.toSorted(), ids.toSorted());
    } finally {
      await app.stop();
      await server.stop();
    }
  });
});

/** How many calls of the ingress the server has counted, those that it refused included. */
async function requestsAt(metricsPort: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
  let requests = 0;
  for (const line of (await response.text()).split('\n')) {
    const [, operation = '', count = ''] = REQUESTS.exec(line) ?? [];
    if (OF_THE_INGRESS.includes(operation)) requests += Number(count);
  }
  return requests;
}

/** Posts large events until the source has heard that the workflow takes no more. */
async function fill(app: TestApp, source: string, hoarding: WorkflowHandle): Promise<string[]> {
  const filling = 'x'.repeat(1_000 * KIB);
  const ids: string[] = [];
  await until('it is suspended', async () => {
    const id = `event ${ids.length}`;
    const progress = await progressOf(hoarding).catch(() => undefined);
    if (progress === undefined) return false;
    assert.equal(progress.received.length, 0);
    await postUntilAccepted([app.ingress.url], { source, id, body: { filling } });
    ids.push(id);
    return (await suspendedOf(app, source)).length === 1;
  });
  return ids;
}

async function suspendedOf(app: TestApp, source: string) {
  const page = { limit: 100, after: 0 };
  const found = await until('the source tells', () =>
    app.ingress.inspection.subscriptions(source, page),
  );
  return found.subscriptions.filter(({ suspended }) => suspended);
}
