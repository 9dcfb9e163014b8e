import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';

import { STATE_BYTES_MAX } from '../activities/state-sizes.ts';
import { SourceClient } from '../dispatch/source-client.ts';
import { FILTER_LENGTH_MAX } from '../events/filter.ts';
import { startApp, startServer, until, untilSubscribed, type TestServer } from './harness.ts';

/** How many registrations are in one signal: under the 2 MiB that a signal may have. */
const REGISTRATIONS = 200;

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

test('a source that holds all that it can refuses one more, and goes on', async () => {
  const app = await startApp(server, { sources: ['full'] });
  try {
    const client = new SourceClient(app.client);
    const listener = await app.start('listen', { subscriptions: [['full', '']], count: 1 });
    await untilSubscribed(listener, 1);
    const stateBytes = async () => (await client.describe('full'))?.memo?.stateBytes ?? 0;
    while ((await stateBytes()) < STATE_BYTES_MAX) {
      const held = await stateBytes();
      await client.register('full', { registrations: registrations() });
      await until('they are registered', async () => (await stateBytes()) > held);
    }
    await until('subscribing is refused', async () => {
      const late = await app.start('listen', { subscriptions: [['full', '']], count: 0 });
      const error: unknown = await late.result().catch((failure: unknown) => failure);
      if (!(error instanceof WorkflowFailedError)) return false;
      assert.ok(error.cause instanceof ApplicationFailure);
      assert.equal(error.cause.type, 'SourceFullError');
      return true;
    });
    assert.equal((await app.post('full', {}, 'event')).status, 202);
    assert.deepEqual(
      (await listener.result()).map(({ id }: { id: string }) => id),
      ['event'],
    );
  } finally {
    await app.stop();
  }
});

/** Of workflows that are not there, with filters that are as long as they may be. */
function registrations() {
  return Array.from({ length: REGISTRATIONS }, () => {
    const id = randomUUID();
    const filter = `data.body.json.key == '${id.padEnd(FILTER_LENGTH_MAX - 40, '-')}'`;
    return { id, filter, workflowId: `nobody-${id}`, firstRunId: id };
  });
}
