// Workflows that go on and on: what they hold, have yet to read and have read before crosses
// from run to run, and nothing is left behind.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import type { WorkflowHandle } from '@temporalio/client';

import {
  postUntilAccepted,
  startApp,
  startServer,
  until,
  untilSubscribed,
  type TestApp,
  type TestServer,
} from './harness.ts';
import { count, deliver, heldBy, historyOf } from './observe.ts';
import { resultOf } from './received.ts';
import type { EndureState } from './workflows/enduring.ts';

const EVENTS = 10_000;

/** How many send events, each one after the other. */
const SENDERS = 50;

/** Every so many events, a sender sends one again. */
const REPEATED_EVERY = 20;

/** A run with a longer history has so much unread that its senders wait. */
const HISTORY_EVENTS_MAX = 5_000;

/** Events are taken by two subscriptions, each of which gets every one. */
const PER_RUN = 1_600;

const TIMEOUTS = 10_000;
const WAITERS = 500;
const TIMES = 2;

let server: TestServer;
let app: TestApp;
before(async () => {
  server = await startServer();
  app = await startApp(server, { sources: ['many', 'timeouts'] });
});
after(async () => {
  await app?.stop();
  await server?.stop();
});

describe('A workflow that continues as new', { timeout: 900_000 }, () => {
  test(`D19: loses, doubles and swaps none of ${EVENTS} events, and leaves no timer`, async (t) => {
    const total = 2 * EVENTS;
    const input = { source: 'many', perRun: PER_RUN, total };
    const handle = await app.start('endure', input);
    const { subscribed } = await untilSubscribed(handle, 2);
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: SENDERS }, (_, sender) => send(handle, sender)));
    const tookMs = performance.now() - startedAt;
    const { ids, taken, expected, wrong } = await resultOf<EndureState>(handle);
    t.diagnostic(`${EVENTS} events were accepted in ${(tookMs / 1_000).toFixed(1)} s`);
    assert.deepEqual(wrong, []);
    assert.equal(taken, total);
    assert.deepEqual(ids, subscribed);
    const each = Array.from({ length: SENDERS }, () => EVENTS / SENDERS);
    assert.deepEqual(expected, [each, each]);
    const runs = await runsOf(handle);
    assert.ok(runs.length >= Math.floor(total / PER_RUN), `${runs.length} runs`);
    for (const run of runs) await assertNoTimerIsLeft(run);
    assert.deepEqual((await heldBy(app.client, 'many')).subscriptions, []);
  });

  test(`D19: leaves none of ${TIMEOUTS} timers, whether they fire or an event comes`, async () => {
    const runs = TIMEOUTS / (WAITERS * TIMES);
    const input = { source: 'timeouts', waiters: WAITERS, times: TIMES, runs };
    const handle = await app.start('timeOut', input);
    for (let run = 0; run < runs; run += 1) {
      const { runId } = await handle.describe();
      await untilSubscribed(app.client.workflow.getHandle(handle.workflowId, runId), 2);
      for (const id of ['one', 'two']) await deliver(app, 'timeouts', {}, `${runId} ${id}`);
      await until(`run ${run} has ended`, async () => {
        const { status, runId: current } = await handle.describe();
        return status.name !== 'RUNNING' || current !== runId;
      });
    }
    assert.equal(await resultOf(handle), WAITERS * TIMES);
    const all = await runsOf(handle);
    assert.equal(all.length, runs);
    let fired = 0;
    for (const run of all) fired += (await assertNoTimerIsLeft(run)).fired;
    assert.equal(fired, TIMEOUTS);
  });
});

/** Sends its events in order, and some of them once more, as fast as the workflow takes them. */
async function send(handle: WorkflowHandle, sender: number): Promise<void> {
  for (let number = 0; number < EVENTS / SENDERS; number += 1) {
    const event = { source: 'many', id: `${sender}/${number}`, body: { sender, number } };
    await postUntilAccepted([app.ingress.url], event);
    if (number % REPEATED_EVERY !== 0) continue;
    await postUntilAccepted([app.ingress.url], event);
    // At 8,000 signals a run would take no more, and lose what comes until the next one begins.
    await until('the workflow keeps up', async () => {
      return (await handle.describe()).historyLength < HISTORY_EVENTS_MAX;
    });
  }
}

/** The runs of a workflow, the first one first. */
async function runsOf(handle: WorkflowHandle): Promise<WorkflowHandle[]> {
  const { raw } = await handle.describe();
  let runId = raw.workflowExecutionInfo?.firstRunId ?? undefined;
  const runs: WorkflowHandle[] = [];
  while (runId) {
    const run: WorkflowHandle = app.client.workflow.getHandle(handle.workflowId, runId);
    runs.push(run);
    const last = (await run.fetchHistory()).events?.at(-1);
    runId = last?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
  }
  return runs;
}

async function assertNoTimerIsLeft(run: WorkflowHandle): Promise<{ readonly fired: number }> {
  const history = await historyOf(run);
  const fired = count(history, 'timer_fired');
  const left = count(history, 'timer_started') - fired - count(history, 'timer_canceled');
  assert.equal(left, 0, `${left} timers are left`);
  return { fired };
}
