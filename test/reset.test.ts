// A workflow that an operator sends back to an earlier place of its history. It is a new run
// of the same chain then: its code is replayed up to that place, and the signals from after
// the place are given to it again, unless the operator leaves them out.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import type { WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';

import {
  progressOf,
  startApp,
  startServer,
  until,
  untilReceived,
  untilSubscribed,
  type TestApp,
  type TestServer,
} from './harness.ts';
import {
  SOURCE_TASK_QUEUE,
  SOURCE_WORKFLOW_TYPE,
  sourceWorkflowId,
} from '../workflows/messages.ts';
import { deliver, goOn, heldBy, untilContinued } from './observe.ts';
import { resultOf } from './received.ts';

const { RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL: SIGNALS } =
  proto.temporal.api.enums.v1.ResetReapplyExcludeType;

/** How long a registration of a run that was reset is held up, once: its activity has 5 seconds. */
const HELD_UP_MS_MAX = 4_000;

/** How often sources look for what nobody holds any more. */
const SWEEP_MS = 2_000;

/** A source for each test. */
const SOURCES = Array.from({ length: 20 }, (_, index) => `source-${index}`);
const unused = [...SOURCES];

/** Sources that are not swept so soon. */
const REUSED = ['reused-other', 'reused-same'] as const;
const UNSWEPT = 'unswept';

/** Workflows whose registration after a reset is held up until their unregistration was heard. */
const heldUp = new Set<string>();
const unregistered = new Set<string>();

const holdUp: ActivityInterceptorsFactory = ({ info }) => ({
  inbound: {
    async execute(input, next) {
      const workflowId = info.workflowExecution?.workflowId ?? '';
      const isFirst = info.activityType === 'nexteventRegisterAgain' && info.attempt === 1;
      if (isFirst && heldUp.has(workflowId)) {
        const isHeard = (): boolean => unregistered.has(workflowId);
        await until('it is unregistered', isHeard, HELD_UP_MS_MAX).catch(() => {});
      }
      const result = await next(input);
      if (info.activityType === 'nexteventUnregister') unregistered.add(workflowId);
      return result;
    },
  },
});

let server: TestServer;
let app: TestApp;
before(async () => {
  server = await startServer();
  for (const source of SOURCES) {
    await server.client.workflow.start(SOURCE_WORKFLOW_TYPE, {
      workflowId: sourceWorkflowId(source),
      taskQueue: SOURCE_TASK_QUEUE,
      args: [{ source, isFirst: true, sweepMs: SWEEP_MS }],
      memo: { version: 0, backlog: 0, stateBytes: 0 },
    });
  }
  app = await startApp(server, {
    sources: [...SOURCES, ...REUSED, UNSWEPT],
    workerOptions: { interceptors: { activity: [holdUp] } },
  });
});
after(async () => {
  await app?.stop();
  await server?.stop();
});

describe('A workflow that is reset', { concurrency: true, timeout: 900_000 }, () => {
  test('to before its subscribe subscribes anew, and gets what comes from then on', async () => {
    const { source, handle } = await startReading(['one', 'two']);
    const reset = await resetTo(handle, 'go on');
    await untilSubscribed(reset, 1);
    await deliver(app, source, {}, 'three');
    assert.deepEqual(await resultAtEnd(reset, source), ['three']);
  });

  for (const place of ['one', 'two']) {
    test(`to the task of event ${place} while it waits goes on, and gets none twice`, async () => {
      const { source, handle } = await startReading(['one', 'two']);
      const reset = await resetTo(handle, place);
      await untilReceived(reset, 2);
      for (const id of ['one', 'three', 'two', 'three']) await deliver(app, source, {}, id);
      assert.deepEqual(await resultAtEnd(reset, source), ['one', 'two', 'three']);
      assert.deepEqual(await heldIdsOf(source), []);
    });
  }

  test('twice goes on, and gets none twice', async () => {
    const { source, handle } = await startReading(['one', 'two']);
    const once = await resetTo(handle, 'two');
    await deliver(app, source, {}, 'three');
    await untilReceived(once, 3);
    const twice = await resetTo(once, 'one');
    await untilReceived(twice, 3);
    for (const id of ['two', 'four']) await deliver(app, source, {}, id);
    assert.deepEqual(await resultAtEnd(twice, source), ['one', 'two', 'three', 'four']);
    assert.deepEqual(await heldIdsOf(source), []);
  });

  test('in a later run of its chain has what was carried, and gets none twice', async () => {
    const source = aSource();
    const handle = await app.start('relay', { source, perRun: 2, total: 6 });
    await untilSubscribed(handle, 1);
    for (const id of ['one', 'two']) await deliver(app, source, {}, id);
    await untilContinued(handle);
    await deliver(app, source, {}, 'three');
    await until(
      'it has taken an event since',
      async () => (await taskOf(handle, 'three').catch(() => null)) !== null,
    );
    const reset = await resetTo(handle, 'three');
    await untilSubscribed(reset, 1);
    for (const id of ['one', 'two', 'three', 'four', 'five', 'six']) {
      await deliver(app, source, {}, id);
    }
    const expected = ['one', 'two', 'three', 'four', 'five', 'six'];
    assert.deepEqual(await resultOf(app.client.workflow.getHandle(handle.workflowId)), expected);
    assert.deepEqual(await heldIdsOf(source), []);
  });

  test('to before its unsubscribe, with the event that led to it, unsubscribes again', async () => {
    const { source, handle } = await startReading(['one']);
    await endFirst(handle, source);
    heldUp.add(handle.workflowId);
    unregistered.delete(handle.workflowId);
    const reset = await resetTo(handle, 'one');
    await untilReceived(reset, 2);
    await deliver(app, source, {}, 'in between');
    await goOn(reset);
    await untilSubscribed(reset, 3);
    await deliver(app, source, {}, 'two');
    assert.deepEqual(await resultAtEnd(reset, source), ['one', 'two']);
    await untilNothingIsHeld(source);
  });

  test('to before its unsubscribe, without the event that led to it, holds it again', async () => {
    const { source, handle } = await startReading(['one']);
    await endFirst(handle, source);
    const reset = await resetTo(handle, 'one', [SIGNALS]);
    await untilHeldAgain(reset, source);
    await deliver(app, source, {}, 'two');
    assert.deepEqual(await resultAtEnd(reset, source), ['one', 'two']);
    assert.deepEqual(await heldIdsOf(source), []);
  });

  test('after its end holds what it held at that place', async () => {
    const { source, handle } = await startReading(['one']);
    assert.deepEqual(await resultAtEnd(handle, source), ['one']);
    await untilNothingIsHeld(source);
    const reset = await resetTo(handle, 'one', [SIGNALS]);
    await untilHeldAgain(reset, source);
    await deliver(app, source, {}, 'two');
    assert.deepEqual(await resultAtEnd(reset, source), ['one', 'two']);
    assert.deepEqual(await heldIdsOf(source), []);
  });

  test('to after its unsubscribe holds nothing, and subscribes when it is told', async () => {
    const { source, handle } = await startReading(['one']);
    await endFirst(handle, source);
    const reset = await resetTo(handle, 'end 1');
    await untilReceived(reset, 2);
    await untilNothingIsHeld(source);
    await deliver(app, source, {}, 'in between');
    await goOn(reset);
    await untilSubscribed(reset, 3);
    await deliver(app, source, {}, 'two');
    assert.deepEqual(await resultAtEnd(reset, source), ['one', 'two']);
    assert.deepEqual(await heldIdsOf(source), []);
  });

  test('to before its subscribe leaves nothing behind once it has ended and an event came', async () => {
    const { source, handle } = await startReading(['one'], UNSWEPT);
    const reset = await resetTo(handle, 'go on');
    await untilSubscribed(reset, 1);
    assert.deepEqual(await resultAtEnd(reset, source), []);
    assert.equal((await deliver(app, source, {}, 'late')).signalled, 0);
    await untilNothingIsHeld(source);
  });

  test('to before its subscribe leaves nothing behind once it has ended', async () => {
    const { source, handle } = await startReading(['one']);
    const reset = await resetTo(handle, 'go on');
    await untilSubscribed(reset, 1);
    assert.deepEqual(await resultAtEnd(reset, source), []);
    await untilNothingIsHeld(source);
  });

  test('to before its subscribe is not signalled for what it no longer holds', async () => {
    const { source, handle } = await startReading(['one']);
    const reset = await resetTo(handle, 'go on');
    const { subscribed } = await untilSubscribed(reset, 1);
    await until(
      'its source holds only what it holds',
      async () => (await lookAt(source))?.join() === subscribed.join(),
    );
  });
});

describe('A workflow id that is used again', { timeout: 900_000 }, () => {
  for (const filters of [
    ["data.body.json.for == 'old'", "data.body.json.for == 'new'"],
    ['', ''],
  ]) {
    const what = filters[0] === '' ? 'the same filter' : 'another filter';
    test(`with ${what} gets nothing that is for the workflow before`, async () => {
      const source = filters[0] === '' ? REUSED[1] : REUSED[0];
      const workflowId = `reused-${randomUUID()}`;
      const start = async (filter: string | undefined): Promise<WorkflowHandle> => {
        const args = [{ subscriptions: [[source, filter]] }];
        const options = { workflowId, taskQueue: app.taskQueue, args };
        const handle = await app.client.workflow.start('collect', options);
        await untilSubscribed(handle, 1);
        return handle;
      };
      const old = await start(filters[0]);
      await deliver(app, source, { for: 'old' }, 'before');
      await untilReceived(old, 1);
      await old.terminate();
      const next = await start(filters[1]);
      assert.equal((await heldIdsOf(source)).length, 2);
      await deliver(app, source, { for: 'old' }, 'one');
      await deliver(app, source, { for: 'new' }, 'two');
      await deliver(app, source, { for: 'new' }, 'end');
      const received = (await resultOf<Array<{ id: string }>>(next)).map(({ id }) => id);
      assert.deepEqual(received, filters[0] === '' ? ['one', 'two'] : ['two']);
      await deliver(app, source, { for: 'old' }, 'late');
      await untilNothingIsHeld(source);
    });
  }
});

interface Reading {
  readonly source: string;
  readonly handle: WorkflowHandle;
}

/** A workflow that has subscribed and has received these events, each in a task of its own. */
async function startReading(ids: readonly string[], source = aSource()): Promise<Reading> {
  const handle = await app.start('stepByStep', source);
  await goOn(handle);
  await untilSubscribed(handle, 1);
  for (const [index, id] of ids.entries()) {
    await deliver(app, source, {}, id);
    await untilReceived(handle, index + 1);
  }
  return { source, handle };
}

/** Ends the first of its subscriptions, and waits until its source has heard of that. */
async function endFirst(handle: WorkflowHandle, source: string): Promise<void> {
  await deliver(app, source, {}, 'end 1');
  await untilSubscribed(handle, 2);
  await untilNothingIsHeld(source);
}

/** Brings the workflow to its end. Returns what it has received but for what ended that. */
async function resultAtEnd(handle: WorkflowHandle, source: string): Promise<string[]> {
  for (let time = 0; time < 3; time += 1) await goOn(handle);
  await until(`${handle.workflowId} has ended`, async () => {
    const described = await handle.describe().catch(() => undefined);
    if (described && described.status.name !== 'RUNNING') return true;
    const subscribed = (await progressOf(handle).catch(() => undefined))?.subscribed ?? [];
    const isReading = subscribed.length > 0 && subscribed.at(-1) !== 'unsubscribed';
    if (isReading) await deliver(app, source, {}, `end ${subscribed.length}`);
    return false;
  });
  const received = (await handle.result()) as string[];
  return received.filter((id) => !id.startsWith('end'));
}

/**
 * Resets to the workflow task that came of this event, or of the word to go on: what that
 * task has done is undone, and done again.
 */
async function resetTo(
  handle: WorkflowHandle,
  place: string,
  resetReapplyExcludeTypes: number[] = [],
): Promise<WorkflowHandle> {
  const { workflowId } = handle;
  const current = app.client.workflow.getHandle(workflowId);
  const { runId } = await current.describe();
  const task = await taskOf(current, place);
  assert.ok(task, `"${place}" has come to nothing yet`);
  const reset = await app.client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId, runId },
    reason: 'a test',
    workflowTaskFinishEventId: task,
    requestId: randomUUID(),
    resetReapplyExcludeTypes,
  });
  return app.client.workflow.getHandle(workflowId, reset.runId);
}

/** The event in the history that ended the task that came of this place; null before it did. */
async function taskOf(handle: WorkflowHandle, place: string) {
  const events = (await handle.fetchHistory()).events ?? [];
  const at = events.findIndex(({ workflowExecutionSignaledEventAttributes: signal }) => {
    if (!signal) return false;
    const text = (signal.input?.payloads ?? []).map(({ data }) => Buffer.from(data ?? []));
    const isGoOn = signal.signalName === 'go-on' && place === 'go on';
    return isGoOn || text.join('').includes(`"id":"${place}"`);
  });
  const later = at === -1 ? [] : events.slice(at);
  return later.find((event) => event.workflowTaskCompletedEventAttributes)?.eventId ?? null;
}

async function heldIdsOf(source: string): Promise<string[]> {
  return (await heldBy(app.client, source)).subscriptions.map(({ id }) => id);
}

/** The same for who looks again: a busy machine does not answer each time. */
function lookAt(source: string): Promise<string[] | undefined> {
  return heldIdsOf(source).catch(() => undefined);
}

/** Waits until the source holds what the workflow does, which it had held before. */
async function untilHeldAgain(handle: WorkflowHandle, source: string): Promise<void> {
  const { subscribed } = await progressOf(handle);
  assert.equal(subscribed.length, 1);
  await until(
    `${source} holds what ${handle.workflowId} does`,
    async () => (await lookAt(source))?.join() === subscribed.join(),
  );
}

async function untilNothingIsHeld(source: string): Promise<void> {
  await until(`${source} holds nothing`, async () => (await lookAt(source))?.length === 0);
}

function aSource(): string {
  const source = unused.pop();
  assert.ok(source, 'there are more tests than sources');
  return source;
}
