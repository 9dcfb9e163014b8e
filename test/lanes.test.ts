// How much goes into one signal: what the server takes of it is bounded.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import type { WorkflowHandle } from '@temporalio/client';

import { BATCH_BYTES_MAX, Lanes } from '../dispatch/lanes.ts';
import { startApp, startServer, type TestApp, type TestServer } from './harness.ts';
import { eventOf, STUCK_MS } from './trouble.ts';

/** What an id takes in a signal, with its quotation marks and its comma. */
const ID_BYTES = 39;

const SOURCE = 'shop';

let server: TestServer;
let app: TestApp;
let handle: WorkflowHandle;
before(async () => {
  server = await startServer();
  app = await startApp(server, { sources: [SOURCE] });
  handle = await app.start('hoard', { source: SOURCE, received: [] });
});
after(async () => {
  await handle?.terminate();
  await app?.stop();
  await server?.stop();
});

describe('Events that wait for one workflow', () => {
  test('go in signals that the server takes, however many subscriptions want them', async () => {
    const subscriptions = idsOf(256);
    const events = Math.ceil((2 * BATCH_BYTES_MAX) / (subscriptions.length * ID_BYTES));
    await pushAll(Array.from({ length: events }, () => subscriptions));
  });

  test('... and one goes alone if its subscriptions take more than a signal should', async () => {
    const many = idsOf(Math.ceil(BATCH_BYTES_MAX / ID_BYTES));
    await pushAll([many, many, many]);
  });
});

/** Hands over an event for each of these lists of subscriptions, all at once. */
async function pushAll(all: ReadonlyArray<readonly string[]>): Promise<void> {
  const lanes = new Lanes(app.client, STUCK_MS);
  const target = { workflowId: handle.workflowId, firstRunId: '' };
  const pushing = all.map((subscriptions) =>
    lanes.push(target, { event: eventOf(SOURCE, randomUUID()), subscriptions }),
  );
  assert.deepEqual(new Set(await Promise.all(pushing)), new Set(['taken']));
}

function idsOf(count: number): readonly string[] {
  return Array.from({ length: count }, () => randomUUID());
}
