// A trigger with `workflowId`: an event starts the workflow of its key, or feeds it.

import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { after, before, describe, mock, test } from 'node:test';

import { WorkflowNotFoundError, type WorkflowHandle } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';

import type { Event } from '../events/event.ts';
import type { WebhookData } from '../events/webhook-body.ts';
import { TRIGGER_SUBSCRIPTION } from '../workflows/inbox.ts';
import { eventSignal } from '../workflows/messages.ts';
import {
  postUntilAccepted,
  startApp,
  startServer,
  until,
  untilReceived,
  type Posted,
  type TestApp,
  type TestServer,
} from './harness.ts';
import { goOn, heldBy } from './observe.ts';
import { resultOf } from './received.ts';
import type { Received } from './workflows/listening.ts';

/** The workflow, the trigger and the source of each kind have one name. */
const WORKFLOWS = [
  'takeFed',
  'relayFed',
  'drainFed',
  'handleOne',
  'handleAndNote',
  'failFed',
] as const;
type Workflow = (typeof WORKFLOWS)[number];

/** Answers of users' functions that are no id of a workflow. */
const NO_IDS: ReadonlyArray<readonly [name: string, workflowId: () => unknown, reason: RegExp]> = [
  ['throws', () => assert.fail('no\nsuch customer'), /workflowId: no$/],
  ['throws-text', () => throwText(), /workflowId: it threw string$/],
  ['gives-nothing', () => undefined, /workflowId: it gave no text but undefined$/],
  ['gives-a-number', () => 17, /workflowId: it gave no text but number$/],
  ['gives-empty-text', () => '', /workflowId: it gave an empty text$/],
  ['is-async', () => Promise.reject(new Error('late')), /workflowId: it gave no text but object$/],
];

let server: TestServer;
let app: TestApp;
let urls: readonly string[];
before(async () => {
  server = await startServer();
  app = await startApp(server, {
    sources: [...WORKFLOWS.map(toSource), 'unnamed'],
    triggers: [
      ...WORKFLOWS.map((workflow) => ({
        name: workflow,
        source: toSource(workflow),
        filter: '',
        workflow,
        workflowId: customerOf,
      })),
      ...NO_IDS.map(([name, workflowId]) => {
        return { name, source: 'unnamed', filter: '', workflow: 'handleOne', workflowId };
      }),
      { name: 'plain', source: 'unnamed', filter: '', workflow: 'handleOne' },
    ],
    // What a stopped worker had is not kept for it.
    workerOptions: { stickyQueueScheduleToStartTimeout: 100 },
  });
  const other = await app.startIngress();
  urls = [app.ingress.url, other.url];
});
after(async () => {
  await app?.stop();
  await server?.stop();
});

describe('A trigger that names the workflow of an event', { timeout: 600_000 }, () => {
  test('starts it with the first event and feeds it the others, in their order', async () => {
    const customer = randomUUID();
    const ids = idsOf(40);
    let queued = 0;
    for (const [index, id] of ids.entries()) {
      const body = { last: index === ids.length - 1 };
      const posted = await post('takeFed', { customer, id, body, ingress: index % 2 });
      if (posted.queued) queued += 1;
      else assert.deepEqual(posted.started, [`takeFed/${customer}`]);
    }
    const handle = workflowOf('takeFed', customer);
    const received = await resultOf<Received[]>(handle);
    assert.deepEqual(toIds(received), ids);
    const [first, ...others] = received.map(({ subscription }) => subscription);
    assert.equal(first, undefined);
    assert.deepEqual([...new Set(others)], [TRIGGER_SUBSCRIPTION]);
    // Nobody has told the source of a subscription: without a backlog there is not even a source workflow.
    const held = heldBy(app.client, toSource('takeFed'));
    if (queued === 0) await assert.rejects(held, WorkflowNotFoundError);
    else assert.deepEqual((await held).subscriptions, []);
  });

  test('gives one workflow all events that come at the same time, each once', async () => {
    const customer = randomUUID();
    const ids = idsOf(60);
    await Promise.all(
      ids.map((id, index) => post('takeFed', { customer, id, ingress: index % 2 })),
    );
    await post('takeFed', { customer, id: 'last', body: { last: true } });
    const handle = workflowOf('takeFed', customer);
    const received = toIds(await resultOf<Received[]>(handle));
    assert.deepEqual([...received].sort(), [...ids, 'last'].sort());
    assert.equal(received.at(-1), 'last');
  });

  test('keeps the workflows of different keys and triggers apart', async () => {
    const [one, other] = [randomUUID(), randomUUID()];
    for (const customer of [one, other]) await post('takeFed', { customer, id: 'first' });
    for (const customer of [other, one]) {
      await post('takeFed', { customer, id: 'last', body: { last: true } });
    }
    await post('drainFed', { customer: one, id: 'only' });
    for (const customer of [one, other]) {
      const received = await resultOf<Received[]>(workflowOf('takeFed', customer));
      assert.deepEqual(toIds(received), ['first', 'last']);
    }
    assert.deepEqual(shortened(await resultOf(workflowOf('drainFed', one))), ['only']);
  });

  test('gives nothing twice: neither what started the workflow nor what it was fed', async () => {
    const customer = randomUUID();
    for (const id of ['a', 'a', 'b', 'b', 'a', 'b']) await post('takeFed', { customer, id });
    await post('takeFed', { customer, id: 'last', body: { last: true } });
    const received = await resultOf<Received[]>(workflowOf('takeFed', customer));
    assert.deepEqual(toIds(received), ['a', 'b', 'last']);
  });

  test('gives nothing twice, and loses nothing, where the workflow continues as new', async () => {
    const customer = randomUUID();
    const ids = idsOf(31);
    for (const [index, id] of ids.entries()) {
      await post('relayFed', { customer, id, ingress: index % 2 });
      await post('relayFed', { customer, id: ids[index % 5]!, ingress: index % 2 });
    }
    await post('relayFed', { customer, id: 'last', body: { last: true } });
    const received = await resultOf<string[]>(workflowOf('relayFed', customer));
    assert.deepEqual(shortened(received), [...ids, 'last']);
  });

  test('accepts events without a worker, and they arrive in their order', async () => {
    const customer = randomUUID();
    const ids = idsOf(10);
    await app.stopWorker();
    try {
      for (const id of ids) await post('takeFed', { customer, id });
      await post('takeFed', { customer, id: 'last', body: { last: true } });
    } finally {
      await app.startWorker();
    }
    const received = await resultOf<Received[]>(workflowOf('takeFed', customer));
    assert.deepEqual(toIds(received), [...ids, 'last']);
  });

  test('hashes a key that is long', async () => {
    const customer = 'c'.repeat(5_000);
    await post('takeFed', { customer, id: 'only', body: { last: true } });
    const hash = createHash('sha256').update(customer).digest('hex');
    const received = await resultOf<Received[]>(workflowOf('takeFed', hash));
    assert.deepEqual(toIds(received), ['only']);
  });

  for (const [name, , reason] of NO_IDS) {
    test(`starts nothing if its function ${name}, and is in nobody's way`, async () => {
      const logged = mock.method(console, 'error', () => {});
      const id = `unnamed:${name}`;
      const posted = await post('unnamed', { customer: 'unnamed', id: name }).finally(() => {
        logged.mock.restore();
      });
      if (!posted.queued) assert.deepEqual(posted.started, [`plain/${id}`]);
      assert.equal(await resultOf(app.client.workflow.getHandle(`plain/${id}`)), id);
      const lines = logged.mock.calls.map((call) => String(call.arguments[0]));
      const ofTrigger = lines.filter((line) => line.includes(`trigger ${name} `));
      assert.equal(ofTrigger.length, 1);
      assert.match(ofTrigger[0]!, reason);
      assert.ok(ofTrigger[0]!.includes(id));
    });
  }
});

describe('A fed workflow that ends', { timeout: 600_000 }, () => {
  test('is started again by the next event', async () => {
    const customer = randomUUID();
    const handle = workflowOf('takeFed', customer);
    for (const id of ['one', 'two']) {
      await post('takeFed', { customer, id, body: { last: true } });
      assert.deepEqual(toIds(await resultOf<Received[]>(handle)), [id]);
    }
  });

  test('is started again by an event that it has handled before, as it has ended', async () => {
    const customer = randomUUID();
    const handle = workflowOf('takeFed', customer);
    const runIds = new Set<string>();
    for (let time = 0; time < 2; time += 1) {
      await post('takeFed', { customer, id: 'same', body: { last: true } });
      assert.deepEqual(toIds(await resultOf<Received[]>(handle)), ['same']);
      runIds.add((await handle.describe()).runId);
    }
    assert.equal(runIds.size, 2);
  });

  test('whenever nothing is left to read, loses none of 200 events, and none is twice', async () => {
    const customer = randomUUID();
    const ids = idsOf(200);
    // Few at a time, so that some come in the very task that would end a run.
    const lanes = [0, 1, 2].map((lane) => ids.filter((_id, at) => at % 3 === lane));
    await Promise.all(
      lanes.map(async (lane, ingress) => {
        for (const id of lane) await post('drainFed', { customer, id, ingress: ingress % 2 });
      }),
    );
    const runs = await untilEnded(`drainFed/${customer}`, ids.length);
    assert.deepEqual(runs.flat().sort(), [...ids].sort());
    assert.ok(runs.length > 1, 'it never ended before the last event');
    for (const lane of lanes) {
      for (const run of runs) {
        const inRun = run.filter((id) => lane.includes(id));
        assert.deepEqual(
          inRun,
          lane.filter((id) => inRun.includes(id)),
        );
      }
    }
  });

  for (const subscribe of [false, true]) {
    const when = subscribe ? 'also if it has subscriptions to end' : 'in the same order';
    test(`goes on with what it did not read as if that had started it, ${when}`, async () => {
      const customer = randomUUID();
      const body = { subscribe };
      await post('handleOne', { customer, id: 'held', body });
      const handle = workflowOf('handleOne', customer);
      await untilReceived(handle, 0);
      for (const id of ['two', 'three', 'two', 'four']) {
        await post('handleOne', { customer, id, body });
      }
      await goOn(handle);
      assert.deepEqual(shortened([await resultOf(handle)]), ['four']);
      assert.deepEqual(await argumentsOf(handle), ['held', 'two', 'three', 'four']);
    });
  }

  test('goes on with all that it did not read, if the next run can not have so much', async () => {
    const customer = randomUUID();
    await post('handleAndNote', { customer, id: 'held' });
    const handle = workflowOf('handleAndNote', customer);
    await untilReceived(handle, 0);
    const ids = ['two', 'three', 'four', 'five', 'six'];
    const body = { text: 'x'.repeat(450_000) };
    for (const id of ids) await post('handleAndNote', { customer, id, body });
    await goOn(handle);
    await resultOf(handle);
    const handled: string[][] = [];
    for (const run of await runsOf(handle)) {
      handled.push(shortened(Object.keys((await run.describe()).memo ?? {})).toSorted());
    }
    assert.deepEqual(handled, [['held', 'two'], ['three'], ['four'], ['five'], ['six']]);
  });

  test('with a failure stays failed, and is started again by the next event', async () => {
    const customer = randomUUID();
    await post('failFed', { customer, id: 'held' });
    const handle = workflowOf('failFed', customer);
    await untilReceived(handle, 0);
    await post('failFed', { customer, id: 'unread' });
    await goOn(handle);
    await assert.rejects(resultOf(handle));
    await post('failFed', { customer, id: 'next' });
    assert.deepEqual(shortened([await resultOf(handle)]), ['next']);
    assert.deepEqual(await argumentsOf(handle), ['next']);
  });
});

describe('The subscription of a trigger', { timeout: 600_000 }, () => {
  test('can not be unsubscribed', async () => {
    const handle = await app.start('unsubscribeFed');
    const { type, message } = (await handle.result()) as { type: string; message: string };
    assert.equal(type, 'InvalidArgumentError');
    assert.match(message, /trigger/);
  });

  test('gets nothing that was signalled to a workflow that had the id before', async () => {
    const customer = randomUUID();
    await post('takeFed', { customer, id: 'one' });
    const handle = workflowOf('takeFed', customer);
    await untilReceived(handle, 1);
    const event = { id: 'stray', source: 'takefed', type: 'post', time: '', data: {} };
    const stray = { event, subscriptions: [TRIGGER_SUBSCRIPTION] };
    await handle.signal(eventSignal, { to: randomUUID(), events: [stray] });
    await post('takeFed', { customer, id: 'last', body: { last: true } });
    assert.deepEqual(toIds(await resultOf<Received[]>(handle)), ['one', 'last']);
  });
});

interface FedPost {
  readonly customer: string;
  readonly id: string;
  readonly body?: object;
  /** The first ingress if none is given. */
  readonly ingress?: number;
}

/** Posts until it is acknowledged. The id is the customer's own. */
function post(workflow: Workflow | 'unnamed', given: FedPost): Promise<Posted> {
  const { customer, body, ingress = 0 } = given;
  const id = `${customer.slice(0, 36)}:${given.id}`;
  const source = workflow === 'unnamed' ? workflow : toSource(workflow);
  return postUntilAccepted([urls[ingress]!], { source, id, body: { ...body, customer } });
}

function toSource(workflow: string): string {
  return workflow.toLowerCase();
}

function customerOf({ data }: Event): string {
  return ((data as WebhookData).body.json as { customer: string }).customer;
}

function throwText(): never {
  // oxlint-disable-next-line typescript/only-throw-error
  throw 'text';
}

function workflowOf(workflow: Workflow, customer: string): WorkflowHandle {
  return app.client.workflow.getHandle(`${workflow}/${customer}`);
}

function idsOf(length: number): string[] {
  return Array.from({ length }, (_, index) => `event ${index}`);
}

function toIds(received: readonly Received[]): string[] {
  return shortened(received.map(({ id }) => id));
}

/** Ids of events as they were given to `post`. */
function shortened(ids: readonly string[]): string[] {
  return ids.map((id) => id.slice(id.indexOf(':') + 1));
}

/** What each run of a workflow has handled, once it has ended and all have handled so many. */
async function untilEnded(workflowId: string, count: number): Promise<string[][]> {
  const results = new Map<string, string[]>();
  const query = `WorkflowId = '${workflowId}' AND ExecutionStatus = 'Completed'`;
  await until(`the runs of ${workflowId} have handled ${count} events`, async () => {
    for await (const { runId } of app.client.workflow.list({ query })) {
      if (results.has(runId)) continue;
      const handle = app.client.workflow.getHandle(workflowId, runId);
      results.set(runId, shortened((await handle.result()) as string[]));
    }
    const { status } = await app.client.workflow.getHandle(workflowId).describe();
    return status.name === 'COMPLETED' && [...results.values()].flat().length >= count;
  });
  return [...results.values()];
}

/** The ids of the events that the runs of a chain were started with, first to last. */
async function argumentsOf(handle: WorkflowHandle): Promise<string[]> {
  const ids: string[] = [];
  for (const run of await runsOf(handle)) {
    const { loadedDataConverter } = app.client.options;
    const { input } = (await startOf(run)) ?? {};
    const [event] = await decodeArrayFromPayloads(loadedDataConverter, input?.payloads);
    ids.push((event as Event).id);
  }
  return shortened(ids);
}

/** The runs of a chain, first to last. */
async function runsOf(handle: WorkflowHandle): Promise<readonly WorkflowHandle[]> {
  const runs: WorkflowHandle[] = [];
  let { runId } = await handle.describe();
  while (runId !== '') {
    const run = app.client.workflow.getHandle(handle.workflowId, runId);
    runs.unshift(run);
    runId = (await startOf(run))?.continuedExecutionRunId ?? '';
  }
  return runs;
}

async function startOf(run: WorkflowHandle) {
  return (await run.fetchHistory()).events?.[0]?.workflowExecutionStartedEventAttributes;
}
