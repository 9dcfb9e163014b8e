import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { ApplicationFailure } from '@temporalio/common';
import {
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowHandle,
} from '@temporalio/client';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { nextEvent } from 'nextevent/workflow';

import { recordHistory, replayHistories } from '../testing/index.ts';
import {
  fetchAgain,
  progressOf,
  startApp,
  startServer,
  until,
  untilReceived,
  untilSubscribed,
  type Posted,
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
  startedBy,
  warmUp,
} from './observe.ts';
import { untilShown } from './rounds.ts';
import type { Outcome } from './workflows/stage.ts';
import type { Ending, SubscribingActivities } from './workflows/subscribing.ts';

const SOURCES = [
  'start',
  'stream-one',
  'stream-two',
  'self',
  'wrong',
  'once',
  'later',
  'own',
  'asked',
  'undone',
  'everyone',
  'meows',
  'named',
  'family',
  'handled',
  'quoted',
  'same-path',
  'other-path',
  'beside',
  'read',
  'ended-return',
  'ended-failure',
  'ended-cancellation',
  'ended-wait',
  'ended-type-of-failure',
  'ended-type-by-name',
  'ended-other',
  'ended-twice',
  'ended-unheard',
  'repeated',
  'crowd',
  'strict',
];

const TRIGGERS = [
  { name: 'on-start', source: 'start', filter: '', workflow: 'twoStreams' },
  { name: 'on-self', source: 'self', filter: '', workflow: 'subscribeAndEnd' },
  { name: 'on-own', source: 'own', filter: 'has(data.body.json.start)', workflow: 'nextLikeMine' },
  {
    name: 'on-everyone',
    source: 'everyone',
    filter: 'data.body.json.start == true',
    workflow: 'subscribeAndEnd',
  },
  {
    name: 'on-meow',
    source: 'meows',
    filter: "data.url.path_suffix == '/meow'",
    workflow: 'subscribeAndEnd',
  },
  { name: 'on-named', source: 'named', filter: 'false', workflow: 'subscribeAndEnd' },
  { name: 'crowd', source: 'strict', filter: '', workflow: 'subscribeAndEnd' },
];

/** What the activities of the tests share with them. */
const heard = new Set<string>();
const attempts = new Map<string, number>();
const held = new Set<string>();
const released = new Set<string>();

const activities: SubscribingActivities & Record<string, (...args: never[]) => unknown> = {
  async askForEvent(id) {
    await nextEvent(id);
  },
  async untilHeard(filter) {
    await until(`"${filter}" is heard`, () => heard.has(filter));
  },
  nextAttempt(name) {
    const attempt = (attempts.get(name) ?? 0) + 1;
    attempts.set(name, attempt);
    return Promise.resolve(attempt);
  },
  async hold(name) {
    held.add(name);
    await until(`${name} is released`, () => released.has(name));
  },
};

/** What `ended-twice` was told of by the activity of `unsubscribe`, and by that of the end. */
const endedTwice = new Map<string, readonly string[]>();

/** Whether a workflow has ended of which a source has not heard all. */
let isOver = false;

/** What `endOneOfTwo` tells a source first is heard after the other, or not before its end. */
const holdFirstEnd: ActivityInterceptorsFactory = ({ info }) => ({
  inbound: {
    async execute(input, next) {
      const result = await next(input);
      if (info.activityType !== 'nexteventUnregister') return result;
      const [ended = []] = input.args as [Array<{ id: string; source: string }>?];
      const isFirst = ended.length === 1 && info.activityId === '3';
      const source = ended[0]?.source;
      if (source === 'ended-twice') {
        if (isFirst) await until('the other is heard', () => endedTwice.size > 0);
        endedTwice.set(
          info.activityId,
          ended.map(({ id }) => id),
        );
      }
      if (source === 'ended-unheard' && isFirst) await until('it has ended', () => isOver);
      return result;
    },
  },
});

/** A registration whose filter has `heard` in it ends only when it is cancelled. */
const holdRegistrations: ActivityInterceptorsFactory = ({ info, cancelled }) => ({
  inbound: {
    async execute(input, next) {
      const result = await next(input);
      const [request] = input.args as [{ filter?: string }];
      if (info.activityType === 'nexteventRegister' && request.filter?.includes('heard')) {
        heard.add(request.filter);
        await cancelled;
      }
      return result;
    },
  },
});

let server: TestServer;
let app: TestApp;
before(async () => {
  server = await startServer();
  app = await startApp(server, {
    sources: SOURCES,
    triggers: TRIGGERS,
    activities,
    workerOptions: {
      interceptors: { activity: [holdRegistrations, holdFirstEnd] },
      workflowFailureErrorTypes: { '*': [], endBy: ['NamedError'] },
    },
  });
});
after(async () => {
  await app.stop();
  await server.stop();
});

describe('subscribe', { timeout: 900_000 }, () => {
  test('a workflow that one webhook started waits for two others, each for its own', async () => {
    const handle = startedBy(app, 'on-start', await deliver(app, 'start', {}));
    await untilSubscribed(handle, 2);
    await deliver(app, 'stream-one', {}, 'a');
    await deliver(app, 'stream-two', {}, 'b');
    await deliver(app, 'stream-two', {}, 'c');
    await goOn(handle);
    await untilReceived(handle, 3);
    await deliver(app, 'stream-one', {}, 'd');
    await goOn(handle);
    await handle.result();
    const { subscribed, received } = await progressOf(handle);
    const [two, one] = subscribed;
    assert.deepEqual(received, [
      { id: 'a', subscription: one },
      { id: 'b', subscription: two },
      { id: 'none' },
      { id: 'c', subscription: two },
      { id: 'd', subscription: one },
    ]);
  });

  test('a workflow may end without a look at what it subscribed to', async () => {
    const handle = startedBy(app, 'on-self', await deliver(app, 'self', {}));
    assert.equal(await handle.result(), 'ended');
    assert.deepEqual((await heldBy(app.client, 'self')).subscriptions, []);
  });

  test('a source that there is not is an error that names it, and the filter', async () => {
    const [outcome] = await outcomesOf('nowhere', ['data.total > 1']);
    assert.equal(outcome?.type, 'UnknownSourceError');
    assert.match(outcome?.message ?? '', /"nowhere" not found/);
    assert.match(outcome?.message ?? '', /data\.total > 1/);
    assert.equal(outcome?.retryable, false);
  });

  test('a name that is a source and a trigger is ambiguous', async () => {
    const [outcome] = await outcomesOf('crowd', ['']);
    assert.equal(outcome?.type, 'AmbiguousSourceError');
    assert.match(outcome?.message ?? '', /ambiguous source "crowd"/);
  });

  test('a filter that can not be used is an error that says where and what', async () => {
    const wrong: Array<[filter: string, message: RegExp]> = [
      ['data.body.json.n ==', /line 1, column \d+/],
      ['true &&\n  total > 1', /line 2, column 3.*total/],
      ["event_typ == 'post'", /line 1, column 1.*event_typ.*event_type/],
      ["event_type.endswith('t')", /line 1, column \d+.*endswith.*endsWith/],
      ['size(event_type) + 1 == true', /line 1, column \d+/],
      ['nothing(data)', /line 1, column \d+.*nothing/],
      ["'abc'", /bool/],
      ['1', /bool/],
      [`data.body.text == '${'x'.repeat(10_240)}'`, /10\d+ characters, at most \d+/],
    ];
    const right = ['', 'true', "event_type == 'post'"];
    const filters = [...wrong.map(([filter]) => filter), ...right];
    const outcomes = await outcomesOf('wrong', filters);
    for (const [index, [filter, message]] of wrong.entries()) {
      const outcome = outcomes[index];
      assert.equal(outcome?.type, 'FilterError', filter);
      assert.match(outcome?.message ?? '', message);
      assert.equal(outcome?.retryable, false);
    }
    for (const outcome of outcomes.slice(wrong.length)) assert.match(String(outcome.returned), /-/);
  });

  test('a workflow that does not catch the error fails with it, at once', async () => {
    const handle = await app.start('failToSubscribe', 'wrong');
    const { cause } = await failureOf(handle);
    assert.ok(cause instanceof ApplicationFailure);
    assert.equal(cause.type, 'FilterError');
  });

  test('subscriptions that are asked for at once are all made', async () => {
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
    const filters = keys.map((key) => `data.body.json.key == '${key}'`);
    const handle = await app.start('subscribeAtOnce', 'once', filters);
    const { subscribed } = await untilSubscribed(handle, keys.length);
    assert.equal(new Set(subscribed).size, keys.length);
    await Promise.all(keys.map((key) => deliver(app, 'once', { key }, key)));
    assert.deepEqual(await handle.result(), keys);
  });

  test('an event that the workflow had received is not for a later subscription', async () => {
    const handle = await app.start('subscribeLater', 'later');
    await untilSubscribed(handle, 1);
    await deliver(app, 'later', {}, 'early');
    await goOn(handle);
    const { subscribed } = await untilSubscribed(handle, 2);
    await deliver(app, 'later', {}, 'early');
    await deliver(app, 'later', {}, 'late');
    await goOn(handle);
    await handle.result();
    const [first, second] = subscribed;
    const { received } = await progressOf(handle);
    assert.deepEqual(
      received.filter(({ subscription }) => subscription === first).map(({ id }) => id),
      ['early', 'late'],
    );
    assert.deepEqual(
      received.filter(({ subscription }) => subscription === second).map(({ id }) => id),
      ['late'],
    );
  });

  test('the event that started the workflow never comes to it, posted again or not', async () => {
    const posted = await deliver(app, 'own', { start: true }, 'first');
    const handle = startedBy(app, 'on-own', posted);
    await untilSubscribed(handle, 1);
    const again = await deliver(app, 'own', { start: true }, 'first');
    if (!again.queued) assert.deepEqual(again.started, [handle.workflowId]);
    await deliver(app, 'own', {}, 'second');
    assert.deepEqual(await handle.result(), ['first', 'second', 'none']);
  });

  test('one event starts a workflow and wakes two, and the answer says so', async () => {
    const input = { subscriptions: [['everyone', 'data.body.json.start']], count: 1 };
    await untilShown('the event was not queued', async (id) => {
      const waiting = [await app.start('listen', input), await app.start('listen', input)];
      for (const handle of waiting) await untilSubscribed(handle, 1);
      await warmUp(app, 'everyone');
      const none = await deliver(app, 'everyone', { start: false });
      assert.deepEqual([none.status, none.started, none.signalled], [202, [], 0]);
      const posted = await deliver(app, 'everyone', { start: true }, id);
      const started = startedBy(app, 'on-everyone', posted);
      for (const handle of waiting) {
        const [received] = (await handle.result()) as Array<{ id: string }>;
        assert.equal(received?.id, id);
      }
      assert.equal(await started.result(), 'ended');
      if (posted.queued) return false;
      const { status, started: ids, signalled } = posted;
      assert.deepEqual([status, ids, signalled], [202, [started.workflowId], 2]);
      return true;
    });
  });

  test('the filter of a trigger gates what it starts, not what is subscribed to', async () => {
    const input = { subscriptions: [['meows', "data.url.path_suffix == '/woof'"]], count: 1 };
    const handle = await app.start('listen', input);
    await untilSubscribed(handle, 1);
    await warmUp(app, 'meows');
    const meow = await postTo('meows/meow');
    assert.equal(await startedBy(app, 'on-meow', meow).result(), 'ended');
    const woof = await postTo('meows/woof');
    await assert.rejects(startedBy(app, 'on-meow', woof).describe(), WorkflowNotFoundError);
    assert.equal(((await handle.result()) as Array<{ id: string }>)[0]?.id, woof.id);
  });

  test('the name of a trigger stands for its source', async () => {
    const handle = await app.start('listen', { subscriptions: [['on-named', '']], count: 1 });
    await untilSubscribed(handle, 1);
    assert.equal((await heldBy(app.client, 'named')).subscriptions.length, 1);
    const posted = await deliver(app, 'named', {});
    await assert.rejects(startedBy(app, 'on-named', posted).describe(), WorkflowNotFoundError);
    assert.equal(((await handle.result()) as Array<{ id: string }>)[0]?.id, posted.id);
    assert.deepEqual((await heldBy(app.client, 'named')).subscriptions, []);
  });

  test('parent and child each get their own copy, and an id is of one of them only', async () => {
    const handle = await app.start('familyParent', 'family');
    const { subscriptions } = await until('both have subscribed', async () => {
      const found = await heldBy(app.client, 'family').catch(() => undefined);
      return found?.subscriptions.length === 2 && found;
    });
    assert.equal(new Set(subscriptions.map(({ workflowId }) => workflowId)).size, 2);
    await deliver(app, 'family', {}, 'both');
    await until('the child has ended', async () => {
      return (await heldBy(app.client, 'family')).subscriptions.length === 1;
    });
    await deliver(app, 'family', {}, 'parent only');
    await goOn(handle);
    assert.deepEqual(await handle.result(), {
      parent: 'both',
      next: 'parent only',
      child: { event: 'both', foreign: 'UnknownSubscriptionError' },
    });
  });

  test('handlers of the user for every signal and query never see what is for the inbox', async () => {
    const handle = await app.start('handleEverything', 'handled');
    await until('it has subscribed', async () => {
      const found = await heldBy(app.client, 'handled').catch(() => undefined);
      return found?.subscriptions.length === 1;
    });
    await deliver(app, 'handled', {}, 'event');
    await handle.signal('one', 1);
    assert.equal(await handle.query('anything'), 'anything');
    await handle.signal('two', 2);
    const { signals, event } = (await handle.result()) as { signals: unknown; event: string };
    assert.deepEqual(signals, [
      ['one', 1],
      ['two', 2],
    ]);
    assert.equal(event, 'event');
  });

  test('text of a user in a filter matches that text and nothing else', async () => {
    const texts = [
      "x' || true || 'y",
      'x" || true || "y',
      "\\' || true //",
      'a\nb\u2028c\0d',
      '${data}',
      "r'''",
      'ünïcödé 🎉',
    ];
    const handle = await app.start('listenFor', 'quoted', texts);
    const { subscribed } = await untilSubscribed(handle, texts.length);
    await deliver(app, 'quoted', { customer: 'somebody else' }, 'else');
    for (const [index, customer] of texts.entries()) {
      await deliver(app, 'quoted', { customer }, `t${index}`);
    }
    await goOn(handle);
    await handle.result();
    assert.deepEqual(
      (await progressOf(handle)).received,
      subscribed.map((subscription, index) => ({ id: `t${index}`, subscription })),
    );
  });

  test('nextEvent in an activity is an error that can be caught, and the code goes on', async () => {
    const handle = await app.start('askInActivity', 'asked');
    const [type, message, after_] = (await handle.result()) as string[];
    assert.equal(type, 'NoInboxError');
    assert.match(message ?? '', /only in workflow code/);
    assert.equal(after_, 'worked on');
  });
});

describe('A subscription', { timeout: 900_000 }, () => {
  test('is undone when subscribe is cancelled, heard or not', async () => {
    const handle = await app.start('cancelSubscribe', 'undone', "'heard' == data");
    await untilSubscribed(handle, 1);
    await until('the source has heard of both ends', async () => {
      const undone = await heldBy(app.client, 'undone').catch(() => undefined);
      // Registered, ended; ended; registered.
      return undone && undone.version >= 4 && undone.subscriptions.length === 1;
    });
    await goOn(handle);
    assert.deepEqual(await handle.result(), ['cancelled', 'cancelled']);
    assert.deepEqual((await heldBy(app.client, 'undone')).subscriptions, []);
  });

  const endings: ReadonlyArray<readonly [title: string, ending: Ending, status: string]> = [
    ['completes', 'return', 'COMPLETED'],
    ['fails', 'failure', 'FAILED'],
    ['fails with a cancellation that nobody asked for', 'cancellation', 'FAILED'],
    ['is cancelled while it waits', 'wait', 'CANCELLED'],
    ['fails with an error of a type that ends it', 'type of failure', 'FAILED'],
    ['fails with an error that its worker lets end it', 'type by name', 'FAILED'],
  ];
  for (const [title, ending, expected] of endings) {
    test(`ends when its workflow ${title}`, async () => {
      const source = `ended-${ending.replaceAll(' ', '-')}`;
      const handle = await app.start('endBy', [source, 'ended-other', source], ending);
      await untilSubscribed(handle, 3);
      assert.equal((await heldBy(app.client, source)).subscriptions.length, 2);
      if (ending === 'wait') await handle.cancel();
      else await goOn(handle);
      await handle.result().catch(() => {});
      const { status } = await handle.describe();
      assert.equal(status.name, expected);
      assert.deepEqual((await heldBy(app.client, source)).subscriptions, []);
      assert.deepEqual((await heldBy(app.client, 'ended-other')).subscriptions, []);
      assert.equal((await deliver(app, source, {})).signalled, 0);
    });
  }

  test('is told of once, and what ends the workflow waits until that is heard', async () => {
    const handle = await app.start('endOneOfTwo', 'ended-twice');
    await handle.result();
    const history = await historyOf(handle);
    // An end that is heard of while a task ends the workflow would have that task fail.
    assert.equal(count(history, 'workflow_task_failed'), 0);
    assert.equal(count(history, 'activity_task_completed'), 2);
    const told = [...endedTwice.values()];
    assert.deepEqual([told.length, new Set(told.flat()).size, told.flat().length], [2, 2, 2]);
    assert.deepEqual((await heldBy(app.client, 'ended-twice')).subscriptions, []);
  });

  test('holds the end of its workflow up for ten seconds at the most', async () => {
    const handle = await app.start('endOneOfTwo', 'ended-unheard');
    await handle.result();
    isOver = true;
    const history = await historyOf(handle);
    assert.equal(count(history, 'timer_fired'), 1);
    assert.equal(count(history, 'activity_task_completed'), 1);
  });

  test('outlives a plain error, which only repeats the task', async () => {
    const handle = await app.start('endBy', ['repeated'], 'plain error');
    await until('the task was repeated', async () => {
      const { raw } = await handle.describe();
      return (raw.pendingWorkflowTask?.attempt ?? 0) >= 2;
    });
    const { version, subscriptions } = await heldBy(app.client, 'repeated');
    assert.deepEqual([version, subscriptions.length], [1, 1]);
    assert.equal(count(await historyOf(handle), 'activity_task_scheduled'), 0);
    await handle.terminate();
  });

  test('has what came for it before its task failed and was executed again', async () => {
    const filters = [NO_WARM_UP, NO_WARM_UP];
    const handle = await startPatient('subscribeInVain', 'same-path', filters);
    await until('the registration was heard', () => held.has('same-path'));
    await warmUp(app, 'same-path');
    await deliver(app, 'same-path', {}, 'meanwhile');
    released.add('same-path');
    assert.deepEqual(await handle.result(), ['meanwhile', 'none']);
    assert.equal(attempts.get('same-path'), 2);
    assert.deepEqual((await heldBy(app.client, 'same-path')).subscriptions, []);
  });

  test('... in its order with what came for another subscription, also if it is the same', async () => {
    const handle = await startPatient('subscribeInVainBeside', 'beside', [
      NO_WARM_UP,
      'has(data.body.json.forBoth)',
    ]);
    await until('the registration was heard', () => held.has('beside'));
    await warmUp(app, 'beside');
    await deliver(app, 'beside', { forBoth: true }, 'one');
    await deliver(app, 'beside', {}, 'two');
    await deliver(app, 'beside', { forBoth: true }, 'three');
    released.add('beside');
    assert.deepEqual(await handle.result(), [
      'one older',
      'one newer',
      'two older',
      'three older',
      'three newer',
    ]);
    assert.equal(attempts.get('beside'), 2);
    await replayHistories([await recordHistory(handle)], {
      workflowsPath: fileURLToPath(new URL('workflows/index.ts', import.meta.url)),
    });
  });

  test('... but not what was read before the subscription was made', async () => {
    const handle = await startPatient('subscribeInVainBeside', 'read', ['', ''], true);
    await until('the registration was heard', () => held.has('read'));
    await warmUp(app, 'read');
    for (const id of ['one', 'two']) await deliver(app, 'read', {}, id);
    released.add('read');
    const came = (await handle.result()) as string[];
    const ofOlder = came.filter((text) => text.endsWith('older'));
    const ofNewer = came.filter((text) => text.endsWith('newer'));
    // The first of all is not among them: it was read, and is told nowhere.
    assert.deepEqual(ofOlder.slice(-2), ['one older', 'two older']);
    assert.deepEqual(
      ofNewer.map((text) => text.replace('newer', 'older')),
      ofOlder,
    );
  });

  test('... and nothing of another filter, if the task took another path', async () => {
    const filters = ["data.body.json.key == 'one'", "data.body.json.key == 'other'"];
    const handle = await startPatient('subscribeInVain', 'other-path', filters);
    await until('the registration was heard', () => held.has('other-path'));
    await warmUp(app, 'other-path');
    await deliver(app, 'other-path', { key: 'one' }, 'one');
    released.add('other-path');
    await untilSubscribed(handle, 1);
    await deliver(app, 'other-path', { key: 'one' }, 'one more');
    await deliver(app, 'other-path', { key: 'other' }, 'other');
    assert.deepEqual(await handle.result(), ['other', 'none']);
    // What the failed task registered goes when an event finds that the workflow has ended.
    await deliver(app, 'other-path', { key: 'one' });
    await until('nothing is held any more', async () => {
      const left = await heldBy(app.client, 'other-path').catch(() => undefined);
      return left?.subscriptions.length === 0;
    });
  });
});

/**
 * Starts one whose task the test holds up. The SDK reports to the server that such a task lives on
 * when most of its time has passed, and that would end the task before it has failed.
 */
function startPatient(workflow: string, ...args: unknown[]): Promise<WorkflowHandle> {
  const workflowId = `${workflow}-${randomUUID()}`;
  const { taskQueue } = app;
  const options = { workflowId, taskQueue, args, workflowTaskTimeout: '2 minutes' } as const;
  return app.client.workflow.start(workflow, options);
}

async function outcomesOf(source: string, filters: string[]): Promise<Outcome[]> {
  const handle = await app.start('tryToSubscribe', source, filters);
  return (await handle.result()) as Outcome[];
}

async function failureOf(handle: WorkflowHandle): Promise<WorkflowFailedError> {
  try {
    await handle.result();
  } catch (error) {
    if (error instanceof WorkflowFailedError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

async function postTo(path: string): Promise<Posted> {
  const request = { method: 'POST', headers: { 'idempotency-key': randomUUID() } };
  const response = await fetchAgain(`${app.ingress.url}/webhooks/${path}`, request);
  return (await response.json()) as Posted;
}
