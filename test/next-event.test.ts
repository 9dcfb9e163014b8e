import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import type { WorkflowHandle } from '@temporalio/client';
import type { Event, WebhookData } from 'nextevent/workflow';

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
  startedBy,
  untilDispatched,
  warmUp,
} from './observe.ts';
import { resultOf } from './received.ts';
import { untilShown } from './rounds.ts';
import { eventSignal } from '../workflows/messages.ts';
import type { Received } from './workflows/listening.ts';
import { read, type Reading, type Readings } from './workflows/reading.ts';
import type { Outcome } from './workflows/stage.ts';

/** Longer than it takes to post an event, and short enough to be waited for. */
const BRIEFLY_MS = 30_000;

/** Longer than it takes to stop a workflow that waits, on a machine with little else to do. */
const AT_ONCE_MS = 2_000;

/** Longer than anything takes, on a machine that has much else to do. */
const LONG_MS = 240_000;

const BODIES = { source: 'bodies', filter: 'has(data.url.query.start)' };

/** A source for each test, and for each of its rounds. */
const SOURCES = ['bodies', ...Array.from({ length: 110 }, (_, index) => `source-${index}`)];
const unused = SOURCES.slice(1);

let server: TestServer;
let app: TestApp;
before(async () => {
  server = await startServer();
  app = await startApp(server, {
    sources: SOURCES,
    triggers: [
      { name: 'on-body', workflow: 'readBodies', ...BODIES },
      {
        name: 'on-touch',
        source: 'bodies',
        filter: 'has(data.url.query.touch)',
        workflow: 'touchBodies',
      },
    ],
    activities: {
      readInActivity: readEvent,
    },
    // Every workflow task executes its workflow from the start, so that each of these
    // workflows is replayed at each of its steps.
    workerOptions: { maxCachedWorkflows: 0 },
  });
});
after(async () => {
  await app.stop();
  await server.stop();
});

describe('nextEvent', { timeout: 1_800_000 }, () => {
  test('gives what the filter matches, in order, and nothing else', async () => {
    const source = aSource();
    const filter = "data.body.json.paid && event_type == 'post'";
    const handle = await startSubscribed('takeAll', source, [filter]);
    for (const [index, paid] of [false, true, false, true, false].entries()) {
      await deliver(app, source, { paid }, `e${index}`);
    }
    assert.deepEqual(idsOf(await drained(handle)), ['e1', 'e3']);
  });

  test('goes on beside signals of its name that bring no events', async () => {
    const source = aSource();
    const handle = await startSubscribed('takeAll', source, ['']);
    const { runId: to } = await handle.describe();
    for (const argument of [null, 'event', {}, { to }, { to, events: [null] }, { trigger: 'a' }]) {
      await handle.signal(eventSignal.name, argument);
    }
    await handle.signal(eventSignal.name);
    await deliver(app, source, {}, 'after');
    assert.deepEqual(idsOf(await drained(handle)), ['after']);
  });

  test('gives no event from before subscribe, and every one from after it', async () => {
    const source = aSource();
    await deliver(app, source, {}, 'before');
    const handle = await startSubscribed('takeAll', source, ['']);
    await deliver(app, source, {}, 'after');
    assert.deepEqual(idsOf(await drained(handle)), ['after']);
  });

  test('gives an event once for each subscription that it matches, in the order of these', async () => {
    const source = aSource();
    const handle = await startSubscribed('takeAll', source, ['data.body.json.n > 1', 'true']);
    const { subscribed } = await progressOf(handle);
    for (const n of [1, 2, 3]) await deliver(app, source, { n }, `e${n}`);
    const [large, each] = subscribed;
    assert.deepEqual(await drained(handle), [
      { id: 'e1', subscription: each },
      { id: 'e2', subscription: large },
      { id: 'e2', subscription: each },
      { id: 'e3', subscription: large },
      { id: 'e3', subscription: each },
    ]);
  });

  test('gives a request with no body, below its source, by a header in any case', async () => {
    const source = aSource();
    const filter = [
      "data.method == 'GET' && data.url.path_suffix == '/deep/er/' && data.headers['X-Kind'] == 'probe'",
      ...['text', 'bytes', 'json', 'form'].map((reading) => `data.body.${reading} == null`),
    ].join(' && ');
    const handle = await startSubscribed('takeAll', source, [filter]);
    for (const [id, path, kind] of [
      ['e1', '/deep/er', 'probe'],
      ['e2', '/deep/er/', 'probe'],
      ['e3', '/deep/er/', 'other'],
    ] as const) {
      const headers = { 'x-kind': kind, 'idempotency-key': id };
      const response = await fetchAgain(`${app.ingress.url}/webhooks/${source}${path}`, {
        headers,
      });
      assert.equal(response.status, 202);
      if (((await response.json()) as Posted).queued) await untilDispatched(app, source);
    }
    assert.deepEqual(idsOf(await drained(handle)), ['e2']);
  });

  test('lets no busy subscription starve another', async () => {
    const source = aSource();
    const filters = ["data.body.json.to == 'busy'", "data.body.json.to == 'quiet'"];
    const handle = await startSubscribed('takeAll', source, filters);
    const ids = Array.from({ length: 20 }, (_, index) => `e${index}`);
    for (const [index, id] of ids.entries()) {
      await deliver(app, source, { to: index === 2 ? 'quiet' : 'busy' }, id);
    }
    assert.deepEqual(idsOf(await drained(handle)), ids);
  });

  test('a missing key and a wrong type match nothing, and leave the others alone', async () => {
    const filters = [
      'data.body.json.missing.deeper == 1',
      'data.body.json.text > 5',
      'data.body.json.list[7] == 1',
      'int(data.body.json.text) == 1',
      'data.body.json.text',
      "data.body.json.text == 'five'",
    ];
    // That there is nothing at a path the index knows, without an evaluation that could fail.
    const expected = [null, /string > int/, null, /int conversion/, /string, not bool/, null];
    await untilShown('the ingress matched the event', async () => {
      const source = aSource();
      const handle = await startSubscribed('takeAll', source, filters);
      await warmUp(app, source);
      const posted = await deliver(app, source, { text: 'five', list: [] }, 'event');
      assert.equal(posted.status, 202);
      const { subscriptions: shown } = await until('the ingress tells what it knows', () =>
        app.ingress.inspection.subscriptions(source, { after: 0, limit: filters.length }),
      );
      const { subscribed } = await progressOf(handle);
      assert.deepEqual(await drained(handle), [{ id: 'event', subscription: subscribed[5] }]);
      if (posted.queued) return false;
      assert.equal(posted.signalled, 1);
      // Who could not be evaluated says why.
      const errors = new Map(shown.map(({ filter, lastError }) => [filter, lastError]));
      for (const [index, wanted] of expected.entries()) {
        const told = errors.get(filters[index] ?? '');
        if (wanted === null) assert.equal(told, null, filters[index]);
        else assert.match(told?.error ?? '', wanted, filters[index]);
      }
      return true;
    });
  });

  test('gives an event that is posted twice only once, and two that are alike both', async () => {
    const source = aSource();
    const handle = await startSubscribed('takeAll', source, ['']);
    for (const id of ['one', 'one', 'other']) {
      assert.equal((await deliver(app, source, { same: true }, id)).status, 202);
    }
    const unnamed = [await deliver(app, source, {}), await deliver(app, source, {})];
    const expected = ['one', 'other', ...unnamed.map(({ id }) => id)];
    assert.deepEqual(idsOf(await drained(handle)), expected);
  });

  test('two that wait for the same subscription get different events', async () => {
    const source = aSource();
    const handle = await startSubscribed('waitTwice', source);
    await deliver(app, source, {}, 'one');
    await deliver(app, source, {}, 'other');
    assert.deepEqual(await handle.result(), ['one', 'other']);
  });

  test('an event that none waits for stays until somebody asks', async () => {
    const source = aSource();
    const handle = await startSubscribed('askAgain', source);
    await untilReceived(handle, 1);
    await deliver(app, source, {}, 'late');
    await goOn(handle);
    await handle.result();
    assert.deepEqual(idsOf((await progressOf(handle)).received), ['none', 'late', 'none']);
  });

  for (const isFirst of [true, false]) {
    const when = isFirst ? 'just before' : 'just after';
    test(`an event that comes ${when} the timeout is not lost`, async () => {
      await untilShown(`the event came ${when} the timeout, with no worker`, async () => {
        const source = aSource();
        const handle = await startSubscribed('waitBriefly', source, BRIEFLY_MS);
        const isFired = async () => (await historyOf(handle)).includes('timer_fired');
        const isInPlace = await withoutWorker(source, async () => {
          const wasLate = await isFired();
          if (!isFirst) await until('the timeout has passed', isFired);
          const { queued, signalled } = await app.post(source, { due: true }, 'event');
          if (isFirst) await until('the timeout has passed', isFired);
          const history = await historyOf(handle);
          const wasFirst = history.lastIndexOf(SIGNALED) < history.indexOf('timer_fired');
          return !wasLate && !queued && signalled === 1 && wasFirst === isFirst;
        });
        await goOn(handle);
        await handle.result();
        const ids = idsOf((await progressOf(handle)).received);
        assert.deepEqual(ids.toSorted(), ['event', 'none']);
        if (!isInPlace) return false;
        // Both come to it in one task, in which signals are before timers.
        assert.deepEqual(ids, ['event', 'none']);
        return true;
      });
    });
  }

  test('leaves no timer behind, whether its time passes or an event comes', async () => {
    const source = aSource();
    const times = 100;
    const handle = await startSubscribed('waitManyTimes', source, times);
    const ids = Array.from({ length: times }, (_, index) => `e${index}`);
    for (const id of ids) await deliver(app, source, {}, id);
    await goOn(handle);
    await handle.result();
    const { received } = await progressOf(handle);
    assert.deepEqual(idsOf(received), [...ids.map(() => 'none'), ...ids]);
    const history = await historyOf(handle);
    assert.equal(count(history, 'timer_started'), 2 * times);
    assert.equal(count(history, 'timer_fired'), times);
    assert.equal(count(history, 'timer_canceled'), times);
  });

  test('takes ids and timeouts as they are meant, and says what is wrong with others', async () => {
    const source = aSource();
    const other = await startSubscribed('takeAll', source, ['']);
    const [foreign] = (await progressOf(other)).subscribed;
    const handle = await app.start('askWrongly', source, foreign);
    const outcomes = (await handle.result()) as Outcome[];
    const [own] = (await heldBy(app.client, source)).subscriptions;
    assert.equal(own?.id, foreign);
    const argument = 'InvalidArgumentError';
    const unknown = 'UnknownSubscriptionError';
    const expected: Array<[type: string, message: RegExp]> = [
      [argument, /needs a subscription id/],
      [argument, /needs a subscription id/],
      [argument, /"not an id" is not a subscription id/],
      [argument, /undefined is not a subscription id/],
      [argument, /is not a subscription id/],
      [argument, /is not a subscription id/],
      [unknown, new RegExp(`${foreign} is not a subscription of this workflow`)],
      [unknown, new RegExp(`${foreign} is not a subscription of this workflow`)],
      [argument, /timeout.*at least 0, not -1/],
      [argument, /timeout.*at least 0, not "-1 minute"/],
      [argument, /timeout.*not NaN/],
      [argument, /timeout.*not Infinity/],
      [argument, /timeout.*not "soon"/],
      [argument, /timeout.*not null/],
      [argument, /"not an id" is not a subscription id/],
    ];
    for (const [index, [type, message]] of expected.entries()) {
      assert.equal(outcomes[index]?.type, type, `call ${index}`);
      assert.match(outcomes[index]?.message ?? '', message);
      assert.equal(outcomes[index]?.retryable, false);
    }
    // What is not one's own is not there to be ended, as after a second unsubscribe.
    assert.deepEqual(outcomes.slice(expected.length), [{ returned: 'undefined' }]);
    await goOn(other);
    await other.result();
  });

  test('waits as long as it is told, to the millisecond and for weeks', async () => {
    const source = aSource();
    const timeouts = [0, 0.5, 1.2, '20 ms', '30 days', 4_000_000_000];
    const handle = await startSubscribed('waitForTimes', source, timeouts);
    await untilReceived(handle, 4);
    for (const id of ['e0', 'e1', 'e2', 'e3']) await deliver(app, source, {}, id);
    await handle.result();
    const ids = idsOf((await progressOf(handle)).received);
    assert.deepEqual(ids, ['none', 'none', 'none', 'none', 'e0', 'e1', 'e2', 'e3']);
    const { events } = await handle.fetchHistory();
    const timersMs = (events ?? []).flatMap(({ timerStartedEventAttributes: timer }) => {
      const { seconds, nanos } = timer?.startToFireTimeout ?? {};
      return timer ? [Number(seconds ?? 0) * 1_000 + (nanos ?? 0) / 1_000_000] : [];
    });
    assert.deepEqual(timersMs, [1, 2, 20, 2_592_000_000, 4_000_000_000]);
  });

  for (const timeout of [undefined, '1 day']) {
    const how = timeout === undefined ? 'for ever' : 'with a timeout';
    test(`ends at once when its workflow is stopped while it waits ${how}`, async () => {
      await untilShown(`it ended within ${AT_ONCE_MS} ms`, async () => {
        const handle = await startSubscribed('waitForEver', aSource(), timeout);
        const stoppedAt = Date.now();
        await handle.cancel();
        await assert.rejects(handle.result());
        const tookMs = Date.now() - stoppedAt;
        assert.equal((await handle.describe()).status.name, 'CANCELLED');
        return tookMs < AT_ONCE_MS;
      });
    });
  }

  test('gives nothing to a waiter that was cancelled: the event stays', async () => {
    const source = aSource();
    const handle = await startSubscribed('cancelWaiter', source);
    await deliver(app, source, {}, 'event');
    await goOn(handle);
    const cancelled = Array.from({ length: 4 }, () => 'CancelledFailure');
    assert.deepEqual(await handle.result(), [...cancelled, 'event']);
    const history = await historyOf(handle);
    // Its own two, and one of the waiter with a timeout.
    assert.equal(count(history, 'timer_started'), 3);
    assert.equal(count(history, 'timer_canceled'), 1);
  });

  for (const isFirst of [true, false]) {
    const when = isFirst ? 'just before' : 'just after';
    test(`an event that comes ${when} its waiter is cancelled is not lost`, async () => {
      await untilShown(`the event came ${when} the word to cancel, with no worker`, async () => {
        const source = aSource();
        const handle = await startSubscribed('cancelWhenTold', source);
        const { queued, signalled } = await withoutWorker(source, async () => {
          if (!isFirst) await goOn(handle);
          const posted = await app.post(source, { due: true }, 'event');
          if (isFirst) await goOn(handle);
          return posted;
        });
        assert.deepEqual(await handle.result(), ['CancelledFailure', 'event']);
        return !queued && signalled === 1;
      });
    });
  }

  test('who lost a race still waits, unless its scope is cancelled', async () => {
    const source = aSource();
    const handle = await startSubscribed('raceTwo', source);
    await deliver(app, source, { side: 'left' }, 'race');
    await untilReceived(handle, 1);
    await deliver(app, source, { side: 'right' }, 'for the loser');
    await deliver(app, source, { side: 'right' }, 'after the race');
    await untilReceived(handle, 2);
    await deliver(app, source, { side: 'left' }, 'race in a scope');
    await untilReceived(handle, 3);
    await deliver(app, source, { side: 'right' }, 'after the scope');
    await handle.result();
    assert.deepEqual(idsOf((await progressOf(handle)).received), [
      'race',
      'after the race',
      'race in a scope',
      'after the scope',
    ]);
  });

  test('who lost a race in a scope takes no event that comes later', async () => {
    const source = aSource();
    const handle = await app.start('decideOrWithdraw', source, '20 minutes');
    await app.waitForSubscriptions(handle, { source, timeoutMs: LONG_MS });
    await handle.signal('withdraw');
    await until('it waits for a late one', async () => {
      const { events } = await handle.fetchHistory();
      return events?.some((event) => event.timerStartedEventAttributes);
    });
    await deliver(app, source, {}, 'late');
    assert.equal(await resultOf(handle), 'withdrawn, then decided by late');
  });

  test('who wins a race has the event', async () => {
    const source = aSource();
    const handle = await app.start('decideOrWithdraw', source, '20 minutes');
    await app.waitForSubscriptions(handle, { source, timeoutMs: LONG_MS });
    await deliver(app, source, {}, 'in time');
    assert.equal(await resultOf(handle), 'decided by in time');
  });

  test('costs no history while it waits, but for its timer', async () => {
    const source = aSource();
    const handle = await startSubscribed('waitForEver', source);
    await deliver(app, source, {}, 'event');
    await handle.result();
    assert.deepEqual(sinceSubscribed(await historyOf(handle)), [
      SOURCES_SHOWN,
      SIGNALED,
      ...TASK,
      ...END,
    ]);
    const timed = await startSubscribed('waitForEver', source, '20 ms');
    await timed.result();
    assert.deepEqual(sinceSubscribed(await historyOf(timed)), [
      SOURCES_SHOWN,
      'timer_started',
      'timer_fired',
      ...TASK,
      ...END,
    ]);
  });

  test('costs no history at all where an event waits for it', async () => {
    const source = aSource();
    const times = 30;
    const handle = await startSubscribed('takeMany', source, times);
    for (let index = 0; index < times; index += 1) await deliver(app, source, {}, `e${index}`);
    await goOn(handle);
    assert.equal(await handle.result(), times);
    const history = await historyOf(handle);
    const ofItself = history.filter((kind) => !SIGNALS_AND_TASKS.includes(kind));
    assert.deepEqual(ofItself, [
      'workflow_execution_started',
      'marker_recorded',
      SOURCES_SHOWN,
      ...UNREGISTERED,
    ]);
    assert.ok(count(history, SIGNALED) <= times + 1);
  });
});

describe('events', { timeout: 900_000 }, () => {
  test('gives one after the other until the loop is left, or none comes in time', async () => {
    const source = aSource();
    const handle = await startSubscribed('readEvents', source);
    for (const id of ['one', 'two', 'last'])
      await deliver(app, source, { last: id === 'last' }, id);
    await untilReceived(handle, 3);
    await deliver(app, source, {}, 'rest');
    await goOn(handle);
    assert.deepEqual(await handle.result(), ['one', 'two', 'last', 'rest']);
  });
});

describe('unsubscribe', { timeout: 900_000 }, () => {
  test('drops what waits and what comes, and leaves the other subscriptions alone', async () => {
    const source = aSource();
    const handle = await startSubscribed('unsubscribeInBetween', source);
    await deliver(app, source, {}, 'queued');
    await goOn(handle);
    const { subscribed } = await untilSubscribed(handle, 3);
    await deliver(app, source, {}, 'later');
    await until('the source has heard of it', async () => {
      const held = await heldBy(app.client, source).catch(() => undefined);
      return held?.subscriptions.length === 1;
    });
    await goOn(handle);
    const outcomes = (await handle.result()) as Outcome[];
    const [gone, kept] = subscribed;
    for (const outcome of outcomes) {
      assert.equal(outcome.type, 'UnknownSubscriptionError');
      assert.match(outcome.message ?? '', new RegExp(`${gone} .*unsubscribed`));
    }
    const expected = ['queued', 'later'].map((id) => ({ id, subscription: kept }));
    assert.deepEqual((await progressOf(handle)).received, expected);
  });

  test('wakes who waits for nothing else with an error', async () => {
    const source = aSource();
    const handle = await startSubscribed('unsubscribeAwaited', source);
    await goOn(handle);
    await deliver(app, source, {}, 'event');
    const unknown = 'UnknownSubscriptionError';
    assert.deepEqual(await handle.result(), [unknown, unknown, 'event']);
    const history = await historyOf(handle);
    // That of the wait, and that of the end if its source has not heard by then.
    assert.ok(count(history, 'timer_started') >= 1);
    assert.equal(count(history, 'timer_canceled'), count(history, 'timer_started'));
  });
});

describe('The body of a webhook', { timeout: 900_000 }, () => {
  const invalid = new Uint8Array([0xff, 0x00, 0xfe, 0x41, 0xc3]);
  const form = 'application/x-www-form-urlencoded';
  const bodies: Array<[name: string, type: string, body: string | Uint8Array, Partial<Reading>]> = [
    ['JSON', 'application/json', '{"a":[1,"ü"]}', { json: { a: [1, 'ü'] }, form: null }],
    ['a form', form, 'a=1&b=x+y&a=2', { json: null, form: { a: '1, 2', b: 'x y' } }],
    ['text', 'text/plain', 'not JSON: "🎉"', { json: null, form: null }],
    ['no UTF-8', 'application/octet-stream', invalid, { text: null, json: null, form: null }],
    ['nothing', 'text/plain', '', { text: null, bytes: null, json: null, form: null }],
  ];
  for (const [name, type, body, reading] of bodies) {
    test(`that is ${name} reads the same wherever the event goes`, async () => {
      const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
      const text = typeof body === 'string' ? body : null;
      const expected: Reading = {
        text,
        json: null,
        form: null,
        bytes: Array.from(bytes),
        isBytes: true,
        ...reading,
      };
      const handle = startedBy(app, 'on-body', await postBody('start', type, body));
      await untilSubscribed(handle, 1);
      await postBody('next', type, body);
      const readings = (await handle.result()) as Readings;
      const places = ['started', 'received', 'activity', 'child', 'continued'] as const;
      for (const place of places) assert.deepEqual(readings[place], expected, place);
    });
  }

  for (const [name, body, factor] of [
    ['JSON', JSON.stringify({ items: Array.from({ length: 20_000 }, () => 'abcdefgh') }), 1.3],
    ['no UTF-8, and as long as a body may be', new Uint8Array(1024 * 1024).fill(0xff), 1.4],
  ] as const) {
    test(`that is ${name} is in history once, however it was read`, async () => {
      const handle = startedBy(app, 'on-touch', await postBody('touch', 'application/json', body));
      await untilSubscribed(handle, 1);
      await postBody('next', 'application/json', body);
      assert.equal(await handle.result(), 2 * body.length);
      const { raw } = await handle.describe();
      const sizeBytes = Number(raw.workflowExecutionInfo?.historySizeBytes);
      const expected = 2 * body.length;
      // Once as the input, once in the signal.
      assert.ok(sizeBytes > expected, `${sizeBytes} bytes of history`);
      assert.ok(sizeBytes < factor * expected + 10_000, `${sizeBytes} bytes of history`);
    });
  }
});

const SIGNALED = 'workflow_execution_signaled';

/** Once, when it has subscribed: its search attribute names the source. */
const SOURCES_SHOWN = 'upsert_workflow_search_attributes';

const TASK = ['workflow_task_scheduled', 'workflow_task_started', 'workflow_task_completed'];
const UNREGISTERED = [
  'activity_task_scheduled',
  'activity_task_started',
  'activity_task_completed',
];
const COMPLETED = 'workflow_execution_completed';
const END = [...UNREGISTERED, ...TASK, COMPLETED];
const SIGNALS_AND_TASKS = [...TASK, SIGNALED, COMPLETED];

/** What follows the registration; before it, a query may have cost a task. */
function sinceSubscribed(history: readonly string[]): readonly string[] {
  const shown = history.indexOf(SOURCES_SHOWN);
  assert.notEqual(shown, -1);
  return history.slice(shown);
}

function readEvent({ data }: Event<WebhookData>): Promise<Reading> {
  return Promise.resolve(read(data.body));
}

function aSource(): string {
  const source = unused.pop();
  assert.ok(source, 'there are more tests than sources');
  return source;
}

/** A workflow that has subscribed to all that it subscribes to. */
async function startSubscribed(
  workflow: string,
  source: string,
  argument?: unknown,
): Promise<WorkflowHandle> {
  const handle = await app.start(workflow, source, argument);
  await untilSubscribed(
    handle,
    Array.isArray(argument) && workflow === 'takeAll' ? argument.length : 1,
  );
  return handle;
}

/**
 * What happens meanwhile comes to a workflow in one task, because the ingress knows of its
 * subscriptions and signals it; unless the machine is too busy for that, and it queues.
 */
async function withoutWorker<T>(source: string, meanwhile: () => Promise<T>): Promise<T> {
  await warmUp(app, source);
  await app.stopWorker();
  try {
    return await meanwhile();
  } finally {
    await app.startWorker();
    await untilDispatched(app, source);
  }
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

async function postBody(query: string, type: string, body: string | Uint8Array): Promise<Posted> {
  const response = await fetchAgain(`${app.ingress.url}/webhooks/bodies?${query}`, {
    method: 'POST',
    headers: { 'content-type': type, 'idempotency-key': randomUUID() },
    body,
  });
  const posted = (await response.json()) as Posted;
  if (posted.queued) await untilDispatched(app, 'bodies');
  return posted;
}
