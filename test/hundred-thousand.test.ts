// A source with a hundred thousand subscriptions: what an ingress does that has just started, and
// one that knows them, and what it takes.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import type { Client } from '@temporalio/client';

import { sourceWorkflowId } from '../workflows/messages.ts';
import { fill } from './filling.ts';
import {
  post,
  postUntilAccepted,
  startApp,
  startServer,
  until,
  type TestServer,
} from './harness.ts';
import { startLittleSource, untilNextRun } from './observe.ts';
import { PatientSource } from './patient-source.ts';
import { untilShown } from './rounds.ts';
import { receivedBy, startCollecting } from './received.ts';

const SUBSCRIPTIONS = 100_000;
const SOURCE = 'large';
const SIGNALS_PER_RUN = 100;

/** What a run may have, in bytes: more takes a worker on a busy machine too long to replay. */
const RUN_BYTES_MAX = 16 * 1024 * 1024;

/** Another source, and how long its events may take while an ingress reads the large one. */
const ASIDE = 'aside';
const ASIDE_MS_MAX = 1_000;

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

test('a source of a hundred thousand wakes who subscribes, through ingresses old and new', async (t) => {
  await startLittleSource(server.client, SOURCE, {
    hotBytesMax: 1024 * 1024,
    signalsPerRun: SIGNALS_PER_RUN,
  });
  const app = await startApp(server, { sources: [SOURCE, ASIDE] });
  try {
    const client = new PatientSource(app.client);
    const took = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      const begun = performance.now();
      await work();
      const { heapUsed, rss } = process.memoryUsage();
      const ms = Math.round(performance.now() - begun);
      t.diagnostic(`${what}: ${ms} ms, heap ${heapUsed >> 20} MiB, rss ${rss >> 20} MiB`);
    };
    await took('fill', () => fill(client, SOURCE, SUBSCRIPTIONS));
    await took('settle', () =>
      until('it is done', async () => {
        const described = await client.describe(SOURCE).catch(() => undefined);
        return described?.memo?.subscriptions === SUBSCRIPTIONS && !described.isPending;
      }),
    );
    t.diagnostic(JSON.stringify((await client.describe(SOURCE))?.memo));
    const largest = await largestRunOf(app.client, sourceWorkflowId(SOURCE));
    t.diagnostic(`its largest run has ${largest} bytes of history`);
    assert.ok(largest > 0 && largest < RUN_BYTES_MAX, `${largest} bytes of history in one run`);
    const one = await startCollecting(app, [[SOURCE, "data.body.json.to == 'one'"]]);
    const at = (url: string, id: string) => () =>
      postUntilAccepted([url], { source: SOURCE, body: { to: 'one' }, id });
    await took('first event', at(app.ingress.url, 'first'));
    await took('warm', () =>
      until('its events go to workflows at once', async () => {
        return (
          (await post(app.ingress.url, { source: SOURCE, body: { to: 'one' } })).signalled === 1
        );
      }),
    );
    await took('warm event', at(app.ingress.url, 'warm'));
    let cold = '';
    // On a busy machine one of many can be slow by itself.
    await untilShown('the events of another source went on', async (name) => {
      await took('another ingress', async () => {
        cold = (await app.startIngress()).url;
      });
      let isWarm = false;
      const aside = timeAside(cold, () => isWarm);
      await took('cold event', at(cold, `cold in ${name}`));
      await took('cold until warm', () =>
        until('its events go to workflows at once', async () => {
          return (await post(cold, { source: SOURCE, body: { to: 'one' } })).signalled === 1;
        }),
      );
      isWarm = true;
      const { answered, slowestMs } = await aside;
      t.diagnostic(`meanwhile ${answered} of another source, the slowest in ${slowestMs} ms`);
      return answered > 0 && slowestMs < ASIDE_MS_MAX;
    });
    const source = app.client.workflow.getHandle(sourceWorkflowId(SOURCE));
    const { runId } = await source.describe();
    await took('new run', async () => {
      for (let signals = 0; signals < SIGNALS_PER_RUN; signals += 1) {
        await client.unregister(SOURCE, [randomUUID()]);
      }
      await untilNextRun(client, SOURCE, runId);
    });
    // Whoever had to read all of it anew would take seconds for that, and use the backlog.
    await took('event after a new run', async () => {
      await until('it goes to the workflow at once', async () => {
        return (await post(cold, { source: SOURCE, body: { to: 'one' } })).signalled === 1;
      });
    });
    await took('last event', at(cold, 'end'));
    const received = await receivedBy(one);
    for (const id of ['first', 'warm', 'cold in round 0']) assert.ok(received.includes(id), id);
  } finally {
    await app.stop();
  }
});

/** How large the largest history of its runs is, in bytes. */
async function largestRunOf({ workflow }: Client, workflowId: string): Promise<number> {
  let largest = 0;
  for await (const { historySize } of workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
    largest = Math.max(largest, historySize ?? 0);
  }
  return largest;
}

/** How long the slowest event of another source took, of those that came until it was over. */
async function timeAside(url: string, isOver: () => boolean) {
  let [answered, slowestMs] = [0, 0];
  while (!isOver()) {
    const startedAt = performance.now();
    await postUntilAccepted([url], { source: ASIDE, body: {}, id: randomUUID() });
    slowestMs = Math.max(slowestMs, Math.round(performance.now() - startedAt));
    answered += 1;
  }
  return { answered, slowestMs };
}
