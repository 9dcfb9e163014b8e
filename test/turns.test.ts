// An event that was handed to code which never went on with it would be lost.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import type { WorkflowHandleWithFirstExecutionRunId as Handle } from '@temporalio/client';

import { progressOf, startApp, startServer, until, untilSubscribed } from './harness.ts';
import type { TestApp, TestServer } from './harness.ts';
import { goOn } from './observe.ts';
import { untilShown } from './rounds.ts';
import { signalEvents } from './signalling.ts';
import type { Continuing } from './workflows/turning.ts';

/** Turns of the event loop, more than lie between an event's signal and the code that gets it. */
const TURNS = Array.from({ length: 24 }, (_, turn) => turn);

const WHO = {
  reader: 'one of them',
  condition: 'what waits for that',
  chain: 'what waits for something that waits for that',
  told: 'what waits for a signal',
};

/** Until then, all that a test brings would have been read, on a slow machine too. */
const LOST_AFTER_MS = 90_000;

const SOURCE = 'turns';

const subscribedBy = new Map<Handle, readonly string[]>();

let server: TestServer;
let app: TestApp;
before(async () => {
  server = await startServer();
  app = await startApp(server, { sources: [SOURCE] });
});
after(async () => {
  await app.stop();
  await server.stop();
});

describe('What one workflow task brings', () => {
  for (const continuing of ['reader', 'condition', 'chain', 'told', TURNS] as const) {
    const who = typeof continuing === 'string' ? WHO[continuing] : 'a handler, sooner or later,';
    test(
      `is read once, if it is for two readers, and ${who} continues as new`,
      { timeout: LOST_AFTER_MS },
      async () => {
        const kinds: readonly Continuing[] = [continuing].flat();
        const handles = await startAll(
          'takeTurns',
          kinds.map((kind) => ({ continuing: kind, total: 3 })),
        );
        await inOneTask(async () => {
          for (const handle of handles) {
            await bring(handle, ['one', 0], ['two', 1]);
            if (continuing === 'told' || typeof continuing !== 'string') await goOn(handle);
          }
        });
        for (const [index, handle] of handles.entries()) {
          await bring(handle, ['three', 0]);
          const read = (await handle.result()) as string[];
          assert.deepEqual(
            read.toSorted(),
            ['one', 'three', 'two'],
            `after ${kinds[index]}: ${read.join()}`,
          );
          assert.notEqual(await latestRun(handle), handle.firstExecutionRunId);
        }
      },
    );
  }

  for (const isQueued of [false, true]) {
    const when = isQueued ? 'before it waits' : 'while it waits';
    test(
      `is read, if it comes ${when} for either, and takes the other question back`,
      { timeout: LOST_AFTER_MS },
      async () => {
        const inputs = [false, true].flatMap((isWokenByJob) =>
          [
            ['one', 'two'],
            ['one', 'two', 'three', 'four', 'five'],
          ].map((ids) => ({
            isWokenByJob,
            ids,
            total: ids.length,
          })),
        );
        const handles = await startAll('raceInScope', inputs);
        for (const handle of handles) {
          if (!isQueued) await goOn(handle);
          await progressOf(handle);
        }
        await inOneTask(async () => {
          for (const [index, handle] of handles.entries()) {
            const events = inputs[index]?.ids.map((id, at) => [id, at % 2] as const) ?? [];
            await bring(handle, ...events);
            if (isQueued) await goOn(handle);
          }
        });
        for (const [index, handle] of handles.entries()) {
          assert.deepEqual(await handle.result(), inputs[index]?.ids);
        }
      },
    );
  }

  test(
    'is read by who asks next, if the question for it lost a race with what was there before',
    { timeout: LOST_AFTER_MS },
    async () => {
      const [handle] = await startAll('raceWithThePast', [{}]);
      assert.ok(handle);
      await inOneTask(async () => {
        await goOn(handle);
        await bring(handle, ['one', 0], ['two', 0]);
      });
      assert.deepEqual(await handle.result(), ['one', 'the past', 'two']);
    },
  );

  test('is read once and in order, if it is more than one task has turns for', async () => {
    const ids = Array.from({ length: 4_500 }, (_, index) => `e${index}`);
    const [handle] = await startAll('raceInScope', [{ isWokenByJob: true, total: ids.length }]);
    assert.ok(handle);
    await inOneTask(async () => {
      for (let at = 0; at < ids.length; at += 500) {
        await bring(handle, ...ids.slice(at, at + 500).map((id, n) => [id, n % 2] as const));
      }
      await goOn(handle);
    });
    assert.deepEqual(await handle.result(), ids);
  });

  for (const [what, place] of [
    ['another one for who waits beside', 0],
    ['one for who waits beside, and for something else', 1],
  ] as const) {
    test(`is read in time, if it comes with the end of the wait for it, and with ${what}`, async () => {
      await untilShown('the time was up in the task that brought it', async () => {
        const [handle] = await startAll('waitBeside', [{ timeoutMs: 8_000 }]);
        assert.ok(handle);
        await inOneTask(async () => {
          await bring(handle, ['first', 0], ['second', place]);
          await until('the time is up', async () => (await kindsOf(handle)).includes('timer'));
        });
        const read = await handle.result();
        const kinds = await kindsOf(handle);
        if (kinds.indexOf('event') > kinds.indexOf('timer')) return false;
        assert.deepEqual(read, ['first', 'second']);
        return true;
      });
    });
  }

  test(
    'is read once, if who reads it lets another one continue as new, and reads on',
    { timeout: LOST_AFTER_MS },
    async () => {
      const handles = await startAll(
        'readAndTell',
        TURNS.map((turns) => ({ turns })),
      );
      await inOneTask(async () => {
        for (const handle of handles) await bring(handle, ['one', 0], ['stop', 0], ['two', 0]);
      });
      for (const [turns, handle] of handles.entries()) {
        assert.deepEqual(await handle.result(), ['one', 'two'], `after ${turns} turns`);
      }
    },
  );

  test(
    'is read by the run that a handler has asked for, if the code ends in the same task',
    { timeout: 3 * LOST_AFTER_MS },
    async () => {
      await untilShown('the code ended in the task that continued as new', async () => {
        const [handle] = await startAll('endOrContinue', [{ timeoutMs: 8_000 }]);
        assert.ok(handle);
        await inOneTask(async () => {
          await goOn(handle);
          await bring(handle, ['one', 0]);
          await until('the time is up', async () => (await kindsOf(handle)).includes('timer'));
        });
        const read = await handle.result();
        const kinds = await kindsOf(handle);
        if (kinds.indexOf('event') > kinds.indexOf('timer')) return false;
        assert.deepEqual(read, ['one']);
        return true;
      });
    },
  );

  test(
    'is read once, if a run begins with it for two readers, one of whom continues as new',
    { timeout: LOST_AFTER_MS },
    async () => {
      const [handle] = await startAll('readFromStart', [{}]);
      assert.ok(handle);
      await inOneTask(async () => {
        await bring(handle, ['one', 0], ['two', 1]);
        await goOn(handle);
      });
      const read = (await handle.result()) as string[];
      assert.deepEqual(read.toSorted(), ['one', 'two']);
    },
  );

  test(
    'is read once, if the job that lets one read it lets another one continue as new',
    { timeout: LOST_AFTER_MS },
    async () => {
      const handles = await startAll(
        'readBeside',
        TURNS.map((turns) => ({ turns })),
      );
      await inOneTask(async () => {
        for (const handle of handles) {
          await bring(handle, ['one', 0]);
          await goOn(handle);
        }
      });
      for (const [turns, handle] of handles.entries()) {
        assert.deepEqual(await handle.result(), ['one'], `after ${turns} turns`);
      }
    },
  );
});

test('A workflow ends while something waits that nobody waits for', async () => {
  const handle = await app.start('leaveReader', { source: SOURCE });
  await untilSubscribed(handle, 1);
  await goOn(handle);
  assert.equal(await handle.result(), 'done');
});

/** Starts workflows that have two subscriptions each. */
function startAll(workflow: string, inputs: readonly object[]): Promise<readonly Handle[]> {
  return Promise.all(
    inputs.map(async (input) => {
      const handle = await app.start(workflow, { ...input, source: SOURCE });
      subscribedBy.set(handle, (await untilSubscribed(handle, 2)).subscribed);
      return handle;
    }),
  );
}

/** All that comes meanwhile comes to a workflow in one task. */
async function inOneTask(meanwhile: () => Promise<void>): Promise<void> {
  await app.stopWorker();
  try {
    await meanwhile();
  } finally {
    await app.startWorker();
  }
}

/** What has come to the first run of a workflow, in order. */
async function kindsOf({ workflowId, firstExecutionRunId }: Handle): Promise<readonly string[]> {
  const run = app.client.workflow.getHandle(workflowId, firstExecutionRunId);
  const { events = [] } = await run.fetchHistory();
  return (events ?? []).flatMap((event) => {
    if (event.timerFiredEventAttributes) return ['timer'];
    return event.workflowExecutionSignaledEventAttributes ? ['event'] : [];
  });
}

function bring(handle: Handle, ...events: ReadonlyArray<readonly [string, number]>): Promise<void> {
  return signalEvents(handle, subscribedBy.get(handle) ?? [], events);
}

async function latestRun(handle: Handle): Promise<string> {
  const { runId } = await app.client.workflow.getHandle(handle.workflowId).describe();
  return runId;
}
