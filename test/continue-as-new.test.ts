import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import type { WorkflowHandle } from '@temporalio/client';

import {
  progressOf,
  startApp,
  startServer,
  until,
  untilSubscribed,
  type TestApp,
  type TestServer,
} from './harness.ts';
import {
  count,
  deliver,
  goOn,
  heldBy,
  historyOf,
  NO_WARM_UP,
  sendInOneTask,
  startedBy,
  untilContinued,
  warmUp,
} from './observe.ts';
import { untilShown } from './rounds.ts';
import type { Received } from './workflows/listening.ts';

/** A source for each test, and for each of its rounds. */
const SOURCES = ['started', ...Array.from({ length: 30 }, (_, index) => `source-${index}`)];
const unused = SOURCES.slice(1);

/** What the activities of the tests share with them. */
const held = new Set<string>();
const released = new Set<string>();

let server: TestServer;
let app: TestApp;
before(async () => {
  server = await startServer();
  app = await startApp(server, {
    sources: SOURCES,
    triggers: [
      {
        name: 'on-started',
        source: 'started',
        filter: 'has(data.body.json.start)',
        workflow: 'carryStart',
      },
    ],
    // What a stopped worker had is not kept for it.
    workerOptions: { stickyQueueScheduleToStartTimeout: 100 },
    activities: {
      hold: async (name: string) => {
        held.add(name);
        await until(`${name} is released`, () => released.has(name));
      },
    },
  });
});
after(async () => {
  await app.stop();
  await server.stop();
});

describe('Continue-as-new', { timeout: 900_000 }, () => {
  test('carries subscriptions and unread events, and these come before new ones', async () => {
    const source = aSource();
    const filters = ["data.body.json.side == 'left'", 'true'];
    const handle = await startSubscribed('carry', { source, filters });
    const { subscribed } = await progressOf(handle);
    await deliver(app, source, { side: 'left' }, 'one');
    await deliver(app, source, {}, 'two');
    await goOn(handle);
    await untilContinued(handle);
    await deliver(app, source, { side: 'left' }, 'three');
    assert.equal((await heldBy(app.client, source)).subscriptions.length, 2);
    const received = await drained(handle);
    assert.deepEqual(idsOf(received), ['one', 'one', 'two', 'three', 'three']);
    const left = received.filter(({ subscription }) => subscription === subscribed[0]);
    assert.deepEqual(idsOf(left), ['one', 'three']);
    assert.deepEqual((await heldBy(app.client, source)).subscriptions, []);
  });

  test('carries what tells a repetition, of events that were read and that were not', async () => {
    const source = aSource();
    const handle = await app.start('relay', { source, perRun: 1, total: 4 });
    await untilSubscribed(handle, 1);
    await deliver(app, source, {}, 'read');
    await untilContinued(handle);
    await deliver(app, source, {}, 'read');
    await deliver(app, source, {}, 'unread');
    await deliver(app, source, {}, 'unread');
    await deliver(app, source, {}, 'read');
    await deliver(app, source, {}, 'third');
    for (const id of ['read', 'unread', 'third', 'fourth']) await deliver(app, source, {}, id);
    assert.deepEqual(await handle.result(), ['read', 'unread', 'third', 'fourth']);
  });

  test('carries what started the workflow: no later run gets it either', async () => {
    const first = await deliver(app, 'started', { start: true }, 'first');
    const handle = startedBy(app, 'on-started', first);
    const { subscribed } = await untilSubscribed(handle, 2);
    await deliver(app, 'started', { start: true }, 'first');
    await deliver(app, 'started', {}, 'second');
    await goOn(handle);
    assert.deepEqual(await handle.result(), ['first', 'next']);
    assert.deepEqual(
      (await progressOf(handle)).received.map(({ id, subscription }) => [id, subscription]).sort(),
      subscribed.map((subscription) => ['second', subscription]).sort(),
    );
  });

  test('tells the source what was ended just before', async () => {
    const source = aSource();
    const handle = await startSubscribed('carryLess', { source, filters: ['true', 'true'] });
    const [, kept] = (await progressOf(handle)).subscribed;
    await goOn(handle);
    await untilContinued(handle);
    await until('the source has heard of it', async () => {
      const { subscriptions } = await heldBy(app.client, source);
      return subscriptions.length === 1 && subscriptions[0]?.id === kept;
    });
    await deliver(app, source, {}, 'event');
    assert.deepEqual(await drained(handle), [{ id: 'event', subscription: kept }]);
  });

  for (const workflow of ['carry', 'carryFromHandler']) {
    const who = workflow === 'carry' ? 'the main code' : "a signal's handler";
    test(`loses nothing that comes in the very task in which ${who} asks for it`, async () => {
      const source = aSource();
      await untilShown('four came in one task', async (round) => {
        const filters = [`data.body.json.round == '${round}'`];
        const handle = await startSubscribed(workflow, { source, filters });
        const ids = ['one', 'two', 'three', 'four'].map((id) => `${round} ${id}`);
        const body = { round };
        const isShown = await sendInOneTask(app, { source, handle, ids, body });
        await untilContinued(handle);
        await deliver(app, source, body, `${round} five`);
        assert.deepEqual(idsOf(await drained(handle)), [...ids, `${round} five`]);
        return isShown;
      });
    });
  }

  test('loses nothing that comes while the task that asks for it goes on', async () => {
    await untilShown('the server refused to continue as new at first', async () => {
      const source = aSource();
      const handle = await app.start('carryInLongTask', { source, filters: [NO_WARM_UP] });
      const { runId } = await handle.describe();
      await until('the task waits', () => held.has(source));
      await warmUp(app, source);
      for (const id of ['one', 'two', 'three']) {
        await deliver(app, source, {}, id);
      }
      released.add(source);
      await untilContinued(handle);
      await deliver(app, source, {}, 'four');
      assert.deepEqual(idsOf(await drained(handle)), ['one', 'two', 'three', 'four']);
      const run = app.client.workflow.getHandle(handle.workflowId, runId);
      return count(await historyOf(run), 'workflow_task_failed') > 0;
    });
  });

  test('gives nothing to code that still runs when it was asked for', async () => {
    const source = aSource();
    const handle = await startSubscribed('carrySlowly', { source, filters: ['true'] });
    await deliver(app, source, {}, 'before');
    await goOn(handle);
    await untilSubscribed(handle, 2);
    await deliver(app, source, {}, 'meanwhile');
    await goOn(handle);
    await untilContinued(handle);
    await deliver(app, source, {}, 'after');
    assert.deepEqual(idsOf(await drained(handle)), ['before', 'meanwhile', 'after']);
  });

  test('is refused while more is unread than can be carried, and the code can read on', async () => {
    const source = aSource();
    const handle = await startSubscribed('carryTooMuch', { source, filters: ['true'] });
    const body = { text: 'x'.repeat(450_000) };
    for (const id of ['one', 'two', 'three', 'four']) await deliver(app, source, body, id);
    await goOn(handle);
    await untilContinued(handle);
    await deliver(app, source, {}, 'five');
    await goOn(handle);
    const expected = ['too large', 'one', 'two', 'three', 'four', 'five'];
    assert.deepEqual(await handle.result(), expected);
  });

  test('takes a thousand events through run after run: all of them, once, in order', async () => {
    const source = aSource();
    const lanes = 4;
    const perLane = 250;
    const total = lanes * perLane;
    const handle = await app.start('relay', { source, perRun: 100, total });
    await untilSubscribed(handle, 1);
    await Promise.all(
      Array.from({ length: lanes }, async (_, lane) => {
        for (let index = 0; index < perLane; index += 1) {
          const { status } = await deliver(app, source, { lane }, `${lane}/${index}`);
          assert.equal(status, 202);
        }
      }),
    );
    const received = (await handle.result()) as string[];
    assert.equal(received.length, total);
    for (let lane = 0; lane < lanes; lane += 1) {
      const ofLane = received.filter((id) => id.startsWith(`${lane}/`));
      const expected = Array.from({ length: perLane }, (_, index) => `${lane}/${index}`);
      assert.deepEqual(ofLane, expected);
    }
  });
});

function aSource(): string {
  const source = unused.pop();
  assert.ok(source, 'there are more tests than sources');
  return source;
}

async function startSubscribed(
  workflow: string,
  input: { readonly source: string; readonly filters: readonly string[] },
): Promise<WorkflowHandle> {
  const handle = await app.start(workflow, input);
  await untilSubscribed(handle, input.filters.length);
  return handle;
}

/** What the workflow takes, now that it is told to. */
async function drained(handle: WorkflowHandle): Promise<readonly Received[]> {
  await goOn(handle);
  await handle.result();
  return (await progressOf(handle)).received;
}

function idsOf(received: readonly Received[]): string[] {
  return received.map(({ id }) => id);
}
