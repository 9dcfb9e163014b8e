// Sources that have only little in memory, and the rest in segments.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import type { Client } from '@temporalio/client';

import type { SourceClient } from '../dispatch/source-client.ts';
import { readSubscriptions } from '../dispatch/source-reading.ts';
import {
  SEGMENT_WORKFLOW_TYPE,
  segmentWorkflowId,
  sourceWorkflowId,
} from '../workflows/messages.ts';
import type { SourceInput } from '../workflows/source-records.ts';
import { fill } from './filling.ts';
import {
  postUntilAccepted,
  startApp,
  startProcess,
  startServer,
  until,
  type TestApp,
  type TestServer,
} from './harness.ts';
import { startLittleSource, untilDispatched } from './observe.ts';
import { PatientSource } from './patient-source.ts';
import { receivedBy, startCollecting } from './received.ts';

describe('A source with segments', () => {
  let server: TestServer;
  before(async () => {
    server = await startServer();
  });
  after(() => server.stop());

  test('moves what it has to segments, merges them, and loses none of it', async () => {
    const { app, client } = await start('moving');
    try {
      const one = await startCollecting(app, [['moving', '']]);
      const filled = await fill(client, 'moving', 4_000);
      const ended = filled.filter((_, index) => index % 3 > 0).map(({ id }) => id);
      await client.unregister('moving', ended);
      await until('it has merged what ended', async () => {
        const memo = (await client.describe('moving').catch(() => undefined))?.memo;
        return memo?.subscriptions === 1 + 4_000 - ended.length;
      });
      const removed = new Set(ended);
      await untilHeld(
        client,
        'moving',
        filled.filter(({ id }) => !removed.has(id)).map(({ id }) => id),
      );
      await until('an ingress that has just started knows it', async () => {
        const ingress = await app.startIngress();
        const posted = await postUntilAccepted([ingress.url], {
          source: 'moving',
          body: {},
          id: 'e',
        });
        return posted.status === 202;
      });
      await end(app, 'moving');
      assert.deepEqual(await receivedBy(one), ['e']);
    } finally {
      await app.stop();
    }
  });

  test('drops what nobody holds any more from them, and the segments that were merged', async () => {
    const { app, client } = await start('swept', { sweepMs: 2_000 });
    try {
      await startCollecting(app, [['swept', '']]);
      await fill(client, 'swept', 1_500);
      await until('only the workflow that is there holds something', async () => {
        const held = await readSubscriptions(client, 'swept').catch(() => undefined);
        return held && [...held.subscriptions].length === 1;
      });
      await untilNoneIsLeft(app.client, 'swept');
    } finally {
      await app.stop();
    }
  });

  test('drops the segments that were merged while no sweep comes to its end', async () => {
    const { app, client } = await start('unswept', { graceMs: 500 });
    try {
      const filled = await fill(client, 'unswept', 3_000);
      await client.unregister(
        'unswept',
        filled.slice(0, 2_500).map(({ id }) => id),
      );
      await until('it has merged what ended', async () => {
        const memo = (await client.describe('unswept').catch(() => undefined))?.memo;
        return memo?.subscriptions === 500;
      });
      await until('what is merged is dropped when something happens', async () => {
        await client.unregister('unswept', [randomUUID()]);
        return areOnlyNamed(app.client, 'unswept');
      });
    } finally {
      await app.stop();
    }
  });

  test('that somebody terminates recovers all of them, with what was under way', async () => {
    const { app, client } = await start('terminated');
    try {
      const one = await startCollecting(app, [['terminated', '']]);
      const filled = await fill(client, 'terminated', 1_500);
      const source = app.client.workflow.getHandle(sourceWorkflowId('terminated'));
      for (let times = 0; times < 3; times += 1) {
        // More of them move to segments meanwhile.
        const more = fill(client, 'terminated', 500);
        await source.terminate('by mistake');
        filled.push(...(await more));
        const gone = filled.splice(10 * times, 200).map(({ id }) => id);
        await client.unregister('terminated', gone);
        await untilHeld(
          client,
          'terminated',
          filled.map(({ id }) => id),
        );
      }
      await postUntilAccepted([app.ingress.url], { source: 'terminated', body: {}, id: 'e' });
      await end(app, 'terminated');
      assert.deepEqual(await receivedBy(one), ['e']);
    } finally {
      await app.stop();
    }
  });

  test('goes on where it was when its worker is killed, and leaves no segment behind', async () => {
    const source = 'killed';
    // So much that none of its segments are merged, and each has to be one that it names.
    await startLittleSource(server.client, source, { hotBytesMax: 256 * 1024 });
    const env = {
      TEMPORAL_ADDRESS: server.address,
      NEXTEVENT_CONFIG: new URL('kill.config.ts', import.meta.url).pathname,
    };
    const client = new PatientSource(server.client);
    const filled: string[] = [];
    let worker = await startProcess('worker', env);
    try {
      for (let times = 0; times < 2; times += 1) {
        const had = (await client.describe(source))?.memo?.segments ?? 0;
        const filling = fill(client, source, 2_000);
        await until('it moves', async () => {
          return (
            ((await client.describe(source).catch(() => undefined))?.memo?.segments ?? 0) > had
          );
        });
        await worker.kill();
        worker = await startProcess('worker', env);
        filled.push(...(await filling).map(({ id }) => id));
      }
      await untilHeld(client, source, filled);
      await untilNoneIsLeft(server.client, source);
    } finally {
      await worker.kill();
    }
  });

  async function start(source: string, input: Partial<SourceInput> = {}) {
    await startLittleSource(server.client, source, input);
    const app = await startApp(server, { sources: [source] });
    return { app, client: new PatientSource(app.client) };
  }
});

/** Who reads all of it finds exactly these, beside those of workflows that are there. */
async function untilHeld(
  client: SourceClient,
  source: string,
  ids: readonly string[],
): Promise<void> {
  const wanted = ids.toSorted().join();
  await until(`${source} holds what it is to hold`, async () => {
    const held = await readSubscriptions(client, source).catch(() => undefined);
    const filled = [...(held?.subscriptions ?? [])].filter(({ workflowId }) =>
      workflowId.startsWith('order-'),
    );
    return (
      filled
        .map(({ id }) => id)
        .toSorted()
        .join() === wanted
    );
  });
}

async function end(app: TestApp, source: string): Promise<void> {
  await postUntilAccepted([app.ingress.url], { source, body: {}, id: `end-${randomUUID()}` });
  await untilDispatched(app, source);
}

/** No segment is there that its source does not name. */
async function untilNoneIsLeft(client: Client, source: string): Promise<void> {
  await until('there are no other segments', () => areOnlyNamed(client, source));
}

async function areOnlyNamed(client: Client, source: string): Promise<boolean> {
  const query = `WorkflowType = '${SEGMENT_WORKFLOW_TYPE}' AND ExecutionStatus = 'Running'`;
  const described = await new PatientSource(client).describe(source).catch(() => undefined);
  if (described === undefined) return false;
  let count = 0;
  for await (const { workflowId } of client.workflow.list({ query })) {
    if (workflowId.startsWith(segmentWorkflowId(source, { name: '' }))) count += 1;
  }
  return count === described.memo?.segments;
}
