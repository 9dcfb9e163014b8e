// How much goes into one signal: what the server takes of it is bounded.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { BATCH_BYTES_MAX, Lanes } from '../dispatch/lanes.ts';
import { startApp, startServer, until, type TestApp, type TestServer } from './harness.ts';
import { signalsTo } from './observe.ts';
import { untilShown } from './rounds.ts';
import { eventOf, STUCK_MS } from './trouble.ts';

/** What an id takes in a signal, with its quotation marks and its comma. */
const ID_BYTES = 39;

const SOURCE = 'shop';

let server: TestServer;
let app: TestApp;
before(async () => {
  server = await startServer();
  app = await startApp(server, { sources: [SOURCE] });
});
after(async () => {
  await app?.stop();
  await server?.stop();
});

describe('Events that wait for one workflow', () => {
  test('go in signals that the server takes, however many subscriptions want them', async () => {
    const subscriptions = idsOf(256);
    const events = Math.ceil((2 * BATCH_BYTES_MAX) / (subscriptions.length * ID_BYTES));
    const signals = await pushAll(Array.from({ length: events }, () => subscriptions));
    assert.ok(signals.length < events / 50, `${signals.length} signals for ${events} events`);
    for (const { bytes } of signals) assert.ok(bytes < BATCH_BYTES_MAX + 1_024, `${bytes} bytes`);
  });

  test('... and one goes alone if its subscriptions take more than a signal should', async () => {
    const many = idsOf(Math.ceil(BATCH_BYTES_MAX / ID_BYTES));
    const signals = await pushAll([many, many, many]);
    assert.deepEqual(
      signals.map(({ ids }) => ids.length),
      [1, 1, 1],
    );
  });
});

type Signals = Awaited<ReturnType<typeof signalsTo>>;

/** Hands a workflow an event for each of these lists of subscriptions, all at once; how they came. */
async function pushAll(all: ReadonlyArray<readonly string[]>): Promise<Signals> {
  let signals: Signals = [];
  // On a busy machine one may not be answered in time, and come again.
  await untilShown('each came, and none twice', async () => {
    signals = await pushOnce(all);
    return countOf(signals) === all.length;
  });
  return signals;
}

async function pushOnce(all: ReadonlyArray<readonly string[]>): Promise<Signals> {
  const handle = await app.start('hoard', { source: SOURCE, received: [] });
  const lanes = new Lanes(app.client, STUCK_MS);
  const target = { workflowId: handle.workflowId, firstRunId: '' };
  const pushing = all.map((subscriptions) =>
    lanes.push(target, { event: eventOf(SOURCE, randomUUID()), subscriptions }),
  );
  const taken = (await Promise.all(pushing)).filter((outcome) => outcome === 'taken').length;
  // What comes while a workflow task runs is in the history once that has ended.
  const signals = await until('all are in the history', async () => {
    const found = await signalsTo(handle);
    return countOf(found) >= taken && found;
  });
  await handle.terminate();
  return signals;
}

function countOf(signals: Signals): number {
  return signals.reduce((sum, { ids }) => sum + ids.length, 0);
}

function idsOf(count: number): readonly string[] {
  return Array.from({ length: count }, () => randomUUID());
}
