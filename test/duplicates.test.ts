// An event that is sent again, with the id that it had: it starts nothing again, reaches no
// subscription again, and is answered with 202 and the same id, wherever and however it comes.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import type { WorkflowHandle } from '@temporalio/client';

import { startIngress } from '../testing/ingress.ts';
import { WINDOW_EVENTS_MAX } from '../workflows/event-window.ts';
import { eventSignal, type MatchedEvent } from '../workflows/messages.ts';
import {
  post,
  postUntilAccepted,
  progressOf,
  startServer,
  startUncached,
  untilSubscribed,
  type Posted,
  type TestApp,
  type TestServer,
} from './harness.ts';
import { deliver, leaveAlone, untilDispatched, warmUp } from './observe.ts';
import { receivedBy, resultOf, startCollecting } from './received.ts';

const START = { start: true };

/** Nobody who collects is to see what `warmUp` posts. */
const STARTING = 'has(data.body.json.start)';

/** How many events a signal brings, when a window is filled. */
const EVENTS_PER_SIGNAL = 512;

/** Runs of the workflow whose window is tried out take so many events each. */
const EVENTS_PER_RUN = 1_000;

const SOURCES = ['restarted', 'several', 'fast-slow', 'slow-fast', 'racing', 'window'];

let server: TestServer;
let app: TestApp;
before(async () => {
  server = await startServer();
  app = await startUncached(server, {
    sources: SOURCES,
    triggers: SOURCES.map((source) => ({
      name: `on-${source}`,
      source,
      filter: STARTING,
      workflow: 'returnEvent',
    })),
  });
});
after(async () => {
  await app?.stop();
  await server?.stop();
});

describe('An event that is sent again', { timeout: 480_000 }, () => {
  test('to an ingress that was started anew starts and reaches nothing again', async () => {
    const source = 'restarted';
    const collecting = await startCollecting(app, [[source, STARTING]]);
    const posted: Posted[] = [];
    const runs: string[] = [];
    for (let time = 0; time < 3; time += 1) {
      const ingress = await startIngress(server, app.config);
      posted.push(
        await post(ingress.url, { source, id: 'e-1', body: START }),
        await post(ingress.url, { source, id: 'e-1', body: START }),
      );
      await ingress.stop();
      runs.push(await runOf(source, 'e-1'));
    }
    assertSame(posted, 'e-1');
    assert.equal(new Set(runs).size, 1);
    assert.deepEqual(await collected(collecting, source), ['e-1']);
  });

  test('to several ingresses at the same time starts and reaches what it does once', async () => {
    const source = 'several';
    const collecting = await startCollecting(app, [[source, STARTING]]);
    const ingresses = await Promise.all([1, 2, 3].map(() => startIngress(server, app.config)));
    const ids = Array.from({ length: 10 }, (_, index) => `e-${index}`);
    const urls = ingresses.flatMap(({ url }) => [url, url]);
    const racing = ids.map((id) =>
      Promise.all(urls.map((url) => postUntilAccepted([url], { source, id, body: START }))),
    );
    for (const [index, posted] of (await Promise.all(racing)).entries()) {
      assertSame(posted, ids[index]!);
    }
    await untilDispatched(app, source);
    const runs = await runsOf(source, ids);
    for (const { url } of ingresses) await post(url, { source, id: 'e-0', body: START });
    assert.deepEqual(await runsOf(source, ids), runs);
    assert.deepEqual((await collected(collecting, source)).toSorted(), ids);
    for (const ingress of ingresses) await ingress.stop();
  });

  test('by way of the backlog, when it has gone the fast way, starts and reaches nothing', async () => {
    const source = 'fast-slow';
    const collecting = await startCollecting(app, [[source, STARTING]]);
    await warmUp(app, source);
    const posted = [await app.post(source, START, 'e-1')];
    assert.equal(posted[0]?.queued, false);
    const run = await runOf(source, 'e-1');
    await leaveAlone(app, source);
    posted.push(await accept(source, 'e-1'), await accept(source, 'e-1'));
    assert.deepEqual(
      posted.map(({ queued }) => queued),
      [false, true, true],
    );
    assertSame(posted, 'e-1');
    await app.startWorker();
    await untilDispatched(app, source);
    assert.equal(await runOf(source, 'e-1'), run);
    assert.deepEqual(await collected(collecting, source), ['e-1']);
  });

  test('the fast way, when it has gone by way of the backlog, starts and reaches nothing', async () => {
    const source = 'slow-fast';
    const collecting = await startCollecting(app, [[source, STARTING]]);
    await leaveAlone(app, source);
    const posted = [await accept(source, 'e-1')];
    await app.startWorker();
    await untilDispatched(app, source);
    const run = await runOf(source, 'e-1');
    await warmUp(app, source);
    posted.push(await app.post(source, START, 'e-1'));
    assert.deepEqual(
      posted.map(({ queued }) => queued),
      [true, false],
    );
    assertSame(posted, 'e-1');
    assert.equal(await runOf(source, 'e-1'), run);
    assert.deepEqual(await collected(collecting, source), ['e-1']);
  });

  test('while a worker goes and comes, to two ingresses, which race, is one event', async () => {
    const source = 'racing';
    const collecting = await startCollecting(app, [[source, STARTING]]);
    await warmUp(app, source);
    const second = await startIngress(server, app.config);
    const urls = [app.ingress.url, second.url];
    const ids = Array.from({ length: 20 }, (_, index) => `e-${String(index).padStart(2, '0')}`);
    /** Each to both at the same time, in different orders. */
    const postAll = (some: readonly string[]): Promise<Posted[]> =>
      Promise.all(
        [...some, ...some.toReversed()].map((id, index) =>
          postUntilAccepted([urls[index % 2]!], { source, id, body: START }),
        ),
      );
    const fast = await postAll(ids.slice(0, 10));
    const runs = await runsOf(source, ids.slice(0, 10));
    const [, leaving] = await Promise.all([leaveAlone(app, source), postAll(ids)]);
    const alone = await postAll(ids);
    const [, coming] = await Promise.all([app.startWorker(), postAll(ids)]);
    await untilDispatched(app, source);
    assert.ok(fast.some(({ queued }) => !queued) && alone.some(({ queued }) => queued));
    for (const { status, id } of [...fast, ...leaving, ...alone, ...coming]) {
      assert.deepEqual([status, ids.includes(id)], [202, true]);
    }
    assert.deepEqual(await runsOf(source, ids.slice(0, 10)), runs);
    assert.deepEqual((await collected(collecting, source)).toSorted(), ids);
    await second.stop();
  });

  test('after 4,095 others, in later runs, reaches nothing; after one more it is new', async () => {
    const source = 'window';
    const others = Array.from({ length: WINDOW_EVENTS_MAX - 1 }, (_, index) => `other ${index}`);
    const expected = ['oldest', ...others, 'newest', 'oldest'];
    const input = { source, perRun: EVENTS_PER_RUN, total: expected.length };
    const relaying = await app.start('relay', input);
    await untilSubscribed(relaying, 1);
    await deliver(app, source, {}, 'oldest');
    await fill(relaying, source, others);
    const first = relaying.firstExecutionRunId;
    assertSame(
      [await app.post(source, {}, 'oldest'), await app.post(source, {}, 'oldest')],
      'oldest',
    );
    await app.post(source, {}, 'newest');
    assertSame([await app.post(source, {}, 'oldest')], 'oldest');
    assert.deepEqual(await resultOf<string[]>(relaying), expected);
    const { runId } = await app.client.workflow.getHandle(relaying.workflowId).describe();
    assert.notEqual(runId, first, 'it has continued as new');
  });
});

/** Signals them as the dispatcher does, many at once: to post all of them would take long. */
async function fill(
  relaying: WorkflowHandle & { readonly firstExecutionRunId: string },
  source: string,
  ids: readonly string[],
): Promise<void> {
  const { subscribed: subscriptions } = await progressOf(relaying);
  const time = new Date().toISOString();
  const matched = ids.map((id): MatchedEvent => ({
    event: { id, source, type: 'post', time, data: {} },
    subscriptions,
  }));
  for (let at = 0; at < matched.length; at += EVENTS_PER_SIGNAL) {
    const events = matched.slice(at, at + EVENTS_PER_SIGNAL);
    const to = relaying.firstExecutionRunId;
    await app.client.workflow.getHandle(relaying.workflowId).signal(eventSignal, { to, events });
  }
}

/** While nobody is there to say whether it has room, a source may want to be asked again. */
function accept(source: string, id: string): Promise<Posted> {
  return postUntilAccepted([app.ingress.url], { source, id, body: START });
}

function assertSame(posted: readonly Posted[], id: string): void {
  for (const one of posted) assert.deepEqual([one.status, one.id], [202, id]);
}

/** What a workflow has collected, in the end. */
async function collected(collecting: WorkflowHandle, source: string): Promise<string[]> {
  await accept(source, 'end');
  return receivedBy(collecting);
}

/** The run of the workflow that an event has started. */
async function runOf(source: string, id: string): Promise<string> {
  const handle = app.client.workflow.getHandle(`on-${source}/${id}`);
  assert.equal(await resultOf<string>(handle), id);
  return (await handle.describe()).runId;
}

function runsOf(source: string, ids: readonly string[]): Promise<string[]> {
  return Promise.all(ids.map((id) => runOf(source, id)));
}
