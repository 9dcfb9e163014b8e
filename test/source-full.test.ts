import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import { createRegistrationActivities } from '../activities/registration.ts';
import { HOT_BYTES_MAX, STATE_BYTES_MAX, StateSizes } from '../activities/state-sizes.ts';
import type { SourceClient } from '../dispatch/source-client.ts';
import { UNINDEXED_COST_MAX } from '../events/filter-access.ts';
import { FILTER_LENGTH_MAX } from '../events/filter.ts';
import {
  SOURCE_TASK_QUEUE,
  SOURCE_WORKFLOW_TYPE,
  sourceWorkflowId,
} from '../workflows/messages.ts';
import { startApp, startServer, until, untilSubscribed, type TestServer } from './harness.ts';
import { patiently, PatientSource } from './patient-source.ts';

/** How many registrations are in one signal: under the 2 MiB that a signal may have. */
const REGISTRATIONS = 200;

/** A filter that counts its steps, and what it costs: so few are enough that all stay in memory. */
const SLOW_FILTER = "data.text.matches('a+')";
const SLOW_FILTER_COST = 10;

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

test('a source that holds all that it can refuses one more', async () => {
  await startSource('full', { stateBytes: STATE_BYTES_MAX, hotBytes: 0 });
  await assert.rejects(register('full'), { type: 'SourceFullError', nonRetryable: true });
});

test('a source with much on its way to segments has to be asked again', async () => {
  await startSource('busy', { stateBytes: HOT_BYTES_MAX, hotBytes: HOT_BYTES_MAX });
  await assert.rejects(register('busy'), /^Error: source "busy" has to move what it holds/);
});

test('... but not if somebody has terminated it: a registration starts it again', async () => {
  await startSource('ended', { stateBytes: HOT_BYTES_MAX, hotBytes: HOT_BYTES_MAX });
  await server.client.workflow.getHandle(sourceWorkflowId('ended')).terminate();
  const client = new PatientSource(server.client);
  const described = await client.describe('ended');
  assert.deepEqual([described?.isOpen, described?.isPending], [false, false]);
  await register('ended');
  assert.equal((await client.describe('ended'))?.isOpen, true);
});

test('a source with as many filters as it can that no index serves takes others, and those again', async () => {
  await startSource('scanned', { stateBytes: 0, hotBytes: 0, unindexed: UNINDEXED_COST_MAX });
  await assert.rejects(register('scanned', 'data.amount > 10'), {
    type: 'UnindexedFilterQuotaError',
    nonRetryable: true,
    message: /path == 'value'.*subscribing to scanned with filter "data.amount > 10"/s,
  });
  await register('scanned', "data.id == 'A-1' && data.amount > 10");
  await registering().nexteventRegisterAgain([requestFor('scanned', 'data.amount > 10')]);
});

test('... but not once more who has a place: an attempt may be made again', async () => {
  const app = await startApp(server, { sources: ['placed'] });
  try {
    const client = new PatientSource(app.client);
    const subscribing = () => requestFor('placed', SLOW_FILTER);
    const others = Array.from({ length: UNINDEXED_COST_MAX / SLOW_FILTER_COST - 1 }, subscribing);
    const filling = registering();
    for (const request of others) {
      await patiently(() => filling.nexteventRegister(request));
    }
    await untilUnindexed(client, 'placed', UNINDEXED_COST_MAX - SLOW_FILTER_COST);
    // It reads the source anew.
    const activities = registering();
    const last = subscribing();
    await activities.nexteventRegister(last);
    const refused = { type: 'UnindexedFilterQuotaError' };
    await untilUnindexed(client, 'placed', UNINDEXED_COST_MAX);
    await assert.rejects(activities.nexteventRegister(subscribing()), refused);
    // An attempt that is made again, because the answer to the one before was lost.
    await activities.nexteventRegister(last);
  } finally {
    await app.stop();
  }
});

test('what filters cost that no index serves is counted', async () => {
  const app = await startApp(server, { sources: ['counting'] });
  try {
    const client = new PatientSource(app.client);
    for (const filter of ['data.amount > 10', "data.text.matches('a+')", "data.id == 'A-1'"]) {
      await register('counting', filter);
    }
    await until('they are counted', async () => {
      const described = await client.describe('counting').catch(() => undefined);
      const { subscriptions, unindexed } = described?.memo ?? {};
      return subscriptions === 3 && unindexed === 11;
    });
  } finally {
    await app.stop();
  }
});

test('who subscribes while a source moves what it holds gets what is posted after', async () => {
  const app = await startApp(server, { sources: ['moving'] });
  try {
    const client = new PatientSource(app.client);
    const batches = 8;
    for (let batch = 0; batch < batches; batch += 1) {
      const request = { registrations: registrations() };
      await client.register('moving', request);
    }
    const listener = await app.start('listen', { subscriptions: [['moving', '']], count: 1 });
    await untilSubscribed(listener, 1);
    assert.equal((await app.post('moving', {}, 'event')).status, 202);
    assert.deepEqual(
      (await listener.result()).map(({ id }: { id: string }) => id),
      ['event'],
    );
    await until('all of them are there', async () => {
      const memo = (await client.describe('moving').catch(() => undefined))?.memo;
      return (memo?.subscriptions ?? 0) >= batches * REGISTRATIONS && (memo?.segments ?? 0) > 0;
    });
  } finally {
    await app.stop();
  }
});

/** Waits until it tells that its filters cost so much. */
function untilUnindexed(client: SourceClient, source: string, cost: number) {
  return until(`the filters of ${source} cost ${cost}`, async () => {
    const described = await client.describe(source).catch(() => undefined);
    return described?.memo?.unindexed === cost;
  });
}

/** One that no worker has told yet how large it really is. */
async function startSource(source: string, bytes: Record<string, number>): Promise<void> {
  await server.client.workflow.start(SOURCE_WORKFLOW_TYPE, {
    workflowId: sourceWorkflowId(source),
    taskQueue: SOURCE_TASK_QUEUE,
    args: [{ source, isFirst: true }],
    memo: { version: 1, backlog: 0, ...bytes },
  });
}

function register(source: string, filter = '') {
  return registering().nexteventRegister(requestFor(source, filter));
}

function registering() {
  const client = new PatientSource(server.client);
  return createRegistrationActivities({
    client,
    sizes: new StateSizes(client),
    isSearchable: () => Promise.resolve(false),
    resolveSource: (name) => name,
  });
}

function requestFor(source: string, filter: string) {
  return { source, id: randomUUID(), filter, workflowId: '', firstRunId: '' };
}

/** Of workflows that are not there, with filters that are as long as they may be. */
function registrations() {
  return Array.from({ length: REGISTRATIONS }, () => {
    const id = randomUUID();
    const filter = `data.body.json.key == '${id.padEnd(FILTER_LENGTH_MAX - 40, '-')}'`;
    return { id, filter, workflowId: `nobody-${id}`, firstRunId: id };
  });
}
