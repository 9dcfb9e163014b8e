// What a listener decides, without Temporal: what it begins, stores and ends, and what it leaves to
// its next run.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import type { Event } from '../events/event.ts';
import type { Delivery, ListenerDefinition } from '../events/listener.ts';
import { TASK_BYTES_MAX, TaskBudget } from '../workflows/listener-budget.ts';
import { newDelivery } from '../workflows/listener-delivery.ts';
import { pack, Texts } from '../workflows/listener-packing.ts';
import { PENDING_MAX } from '../workflows/listener-pending.ts';
import { NOTHING } from '../workflows/listener-records.ts';
import { toPace, toRetryMs } from '../workflows/listener-schedule.ts';
import { NEWEST } from '../workflows/listener-patches.ts';
import { Listener, RESOLVED_MAX, WAITING_BYTES_MAX } from '../workflows/listener-state.ts';
import {
  ACTIVE,
  GONE,
  REMOVED,
  TOO_MANY_FAILURES,
  TOO_MANY_PENDING,
} from '../workflows/listener-status.ts';
import { PENDING_SHOWN_MAX } from '../workflows/listener-shown.ts';

const NOON = Date.parse('2026-01-31T12:00:00Z');
const RUN = 'run-1';

describe('a listener', () => {
  test('begins an attempt of what comes, and is done with it when it succeeds', () => {
    const listener = listenerOf();
    listener.receive(eventOf('e1'), NOON);
    const [beginning] = listener.begin(NOON);
    assert.equal(beginning?.activityId, '1/1');
    assert.equal(beginning.reason, 'event');
    assert.equal(beginning.event?.id, 'e1');
    succeed(listener, 1);
    assert.deepEqual(listener.deliveries, [
      {
        number: 1,
        eventId: 'e1',
        source: 'orders',
        type: 'order.paid',
        status: 'successful',
        message: '200 OK',
        createdAt: '2026-01-31T12:00:00.000Z',
        resolvedAt: '2026-01-31T12:00:00.000Z',
        attempts: [{ runId: RUN, activityId: '1/1' }],
      },
    ]);
    assert.ok(listener.isIdle);
  });

  test('stores what fails, tries it again when its time has come, and tells how it ended', () => {
    const listener = listenerOf({ retryMs: [1_000, 2_000] });
    listener.receive(eventOf('e1'), NOON);
    listener.begin(NOON);
    fail(listener, 1);
    const [stored] = store(listener);
    assert.equal(stored?.delivery.status, 'pending');
    assert.equal(stored.event.id, 'e1');
    assert.equal(listener.wakeAt(), NOON + 1_000);
    assert.deepEqual(listener.begin(NOON + 999), []);
    const [second] = listener.begin(NOON + 1_000);
    assert.deepEqual(
      [second?.activityId, second?.reason, second?.event],
      ['1/2', 'retry', undefined],
    );
    succeed(listener, 1, NOON + 1_000);
    const [ended] = end(listener);
    assert.equal(ended?.status, 'successful');
    assert.equal(ended.attempts.length, 2);
    assert.ok(listener.isIdle);
  });

  test('tries as often as the schedule says, and then fails the delivery', () => {
    const listener = listenerOf({ retryMs: [1_000, 2_000] });
    listener.receive(eventOf('e1'), NOON);
    const times: number[] = [];
    let now = NOON;
    while (listener.figures.pending > 0) {
      listener.begin(now);
      times.push(now - NOON);
      fail(listener, 1, now);
      store(listener);
      now = listener.wakeAt() ?? now;
    }
    assert.deepEqual(times, [0, 1_000, 3_000]);
    assert.equal(end(listener)[0]?.status, 'failed');
  });

  test('stores what fails for good as what it is', () => {
    const listener = listenerOf({ retryMs: [] });
    listener.receive(eventOf('e1'), NOON);
    listener.begin(NOON);
    fail(listener, 1, NOON, { message: '404 Not Found' });
    const [stored] = store(listener);
    assert.equal(stored?.delivery.status, 'failed');
    assert.equal(stored.delivery.message, '404 Not Found');
    assert.deepEqual(end(listener), []);
  });

  test('does not try again what would go no better', () => {
    const listener = listenerOf();
    listener.receive(eventOf('e1'), NOON);
    listener.begin(NOON);
    fail(listener, 1, NOON, { isFinal: true });
    assert.equal(listener.find(1)?.status, 'failed');
    assert.equal(listener.status, 'active');
  });

  test('is inactive when the receiver is gone', () => {
    const listener = listenerOf();
    listener.receive(eventOf('e1'), NOON);
    listener.begin(NOON);
    fail(listener, 1, NOON, { isGone: true, message: '410 Gone' });
    assert.equal(listener.find(1)?.status, 'failed');
    assert.deepEqual([listener.status, listener.memo.statusMessage], ['inactive', GONE]);
  });

  test('is inactive after too many failures in a row, and a success counts anew', () => {
    const listener = listenerOf({ retryMs: [], failuresMax: 3, concurrency: 1 });
    const deliver = (isSuccessful: boolean): void => {
      const number = listener.figures.deliveries + 1;
      listener.receive(eventOf(`e${number}`), NOON);
      listener.begin(NOON);
      if (isSuccessful) succeed(listener, number);
      else fail(listener, number);
    };
    for (const isSuccessful of [false, false, true, false, false]) deliver(isSuccessful);
    assert.equal(listener.status, 'active');
    deliver(false);
    assert.deepEqual(
      [listener.status, listener.memo.statusMessage],
      ['inactive', TOO_MANY_FAILURES],
    );
    assert.ok(listener.activate());
    assert.ok(!listener.activate());
    assert.deepEqual([listener.memo.statusMessage, listener.figures.failuresInRow], [ACTIVE, 0]);
  });

  test('records as skipped what comes while it is inactive, and goes on with what was pending', () => {
    const listener = listenerOf({ retryMs: [1_000] });
    listener.receive(eventOf('e1'), NOON);
    listener.begin(NOON);
    fail(listener, 1);
    assert.ok(listener.deactivate('by hand'));
    assert.ok(!listener.deactivate('again'));
    assert.equal(listener.memo.statusMessage, 'by hand');
    listener.receive(eventOf('e2'), NOON);
    assert.deepEqual(
      store(listener).map(({ delivery }) => delivery.status),
      ['pending', 'skipped'],
    );
    assert.deepEqual(listener.begin(NOON + 5_000), []);
    assert.equal(listener.wakeAt(), undefined);
    listener.activate();
    assert.equal(listener.begin(NOON + 5_000)[0]?.activityId, '1/2');
    assert.equal(listener.find(2)?.status, 'skipped');
  });

  test('is inactive when more is pending than it can hand on', () => {
    const listener = listenerOf({ concurrency: 1 });
    for (let number = 1; number <= PENDING_MAX; number += 1) {
      listener.receive(eventOf(`e${number}`), NOON);
    }
    assert.deepEqual(
      [listener.status, listener.memo.statusMessage],
      ['inactive', TOO_MANY_PENDING],
    );
    assert.equal(listener.figures.pending, PENDING_MAX);
    assert.equal(listener.deliveries.length, PENDING_SHOWN_MAX);
    assert.equal(listener.deliveries.at(-1)?.number, PENDING_MAX);
    listener.receive(eventOf('more'), NOON);
    assert.equal(listener.find(PENDING_MAX + 1)?.status, 'skipped');
    for (let batch = store(listener); batch.length > 0; batch = store(listener));
    const carried = JSON.stringify(listener.toState()).length;
    assert.ok(carried < 1.9 * 1024 * 1024, `${carried} bytes`);
  });

  test('counts how long what is on record of them is', () => {
    const listener = listenerOf({ concurrency: 1 });
    for (let number = 1; listener.status === 'active'; number += 1) {
      listener.receive(eventOf(String(number).padStart(256, '"')), NOON);
    }
    assert.equal(listener.memo.statusMessage, TOO_MANY_PENDING);
    for (let batch = store(listener); batch.length > 0; batch = store(listener));
    const carried = JSON.stringify(listener.toState()).length;
    assert.ok(carried < 1.9 * 1024 * 1024, `${carried} bytes`);
  });

  test('counts the attempts that were made of them', () => {
    const tried = triedOften(5_000);
    assert.equal(tried.status, 'active');
    tried.receive(eventOf('more'), NOON);
    assert.equal(tried.memo.statusMessage, TOO_MANY_PENDING);
    // The most that a run leaves to the next while it takes more.
    const some = triedOften(2_000);
    while (some.status === 'active') some.receive(eventOf('more'), NOON);
    const carried = JSON.stringify(some.toState()).length;
    assert.ok(carried < 1.9 * 1024 * 1024, `${carried} bytes`);
  });

  test('does not count them in the histories of older code', () => {
    const tried = triedOften(5_000, () => false);
    tried.receive(eventOf('more'), NOON);
    assert.equal(tried.status, 'active');
  });

  test('tells of no more than there is room for in an answer, of the newest', () => {
    const shown = triedOften(1_000).deliveries;
    const bytes = JSON.stringify(shown).length;
    assert.ok(bytes > 1024 * 1024 && bytes < 1.5 * 1024 * 1024, `${bytes} bytes`);
    assert.deepEqual(
      shown.map(({ number }) => number),
      shown.map((_, index) => 1_000 - shown.length + 1 + index),
    );
  });

  test('tells of what is over, and of the newest that is pending besides', () => {
    const listener = triedOften(1_000);
    for (let number = 1; number <= RESOLVED_MAX; number += 1) {
      listener.begin(NOON);
      succeed(listener, number);
    }
    const shown = listener.deliveries;
    const bytes = JSON.stringify(shown).length;
    assert.ok(bytes < 1.5 * 1024 * 1024, `${bytes} bytes`);
    assert.equal(shown.filter(({ status }) => status === 'successful').length, RESOLVED_MAX);
    assert.equal(shown.at(-1)?.number, 1_000);
  });

  test('has little of what waits in memory, and stores the rest in order', () => {
    const listener = listenerOf({ concurrency: 1 });
    const text = 'x'.repeat(WAITING_BYTES_MAX / 8);
    for (let number = 1; number <= 12; number += 1) {
      listener.receive(eventOf(`e${number}`, text), NOON);
    }
    const stored = store(listener).map(({ delivery }) => delivery.number);
    assert.deepEqual(stored, [8, 9, 10, 11, 12]);
    const delivered: string[] = [];
    for (let [next] = listener.begin(NOON); next; [next] = listener.begin(NOON)) {
      delivered.push(next.delivery.eventId);
      succeed(listener, next.delivery.number);
    }
    assert.equal(delivered.length, 12);
    assert.equal(end(listener).length, 5);
  });

  test('keeps the order where it has to: the first of the line holds up the others', () => {
    const listener = listenerOf({ ordered: true, retryMs: [1_000] });
    for (const id of ['e1', 'e2']) listener.receive(eventOf(id), NOON);
    assert.deepEqual(numbersOf(listener.begin(NOON)), [1]);
    fail(listener, 1);
    store(listener);
    assert.deepEqual(listener.begin(NOON + 10), []);
    assert.equal(listener.wakeAt(), NOON + 1_000);
    assert.deepEqual(numbersOf(listener.begin(NOON + 1_000)), [1]);
    fail(listener, 1, NOON + 1_000);
    assert.deepEqual(numbersOf(listener.begin(NOON + 1_000)), [2]);
  });

  test('has so many attempts on their way, and one if none of them succeeds', () => {
    const listener = listenerOf({ concurrency: 3, retryMs: [0, 0, 0, 0] });
    for (let number = 1; number <= 8; number += 1) listener.receive(eventOf(`e${number}`), NOON);
    assert.deepEqual(numbersOf(listener.begin(NOON)), [1, 2, 3]);
    assert.equal(listener.wakeAt(), undefined);
    for (const number of [1, 2, 3]) fail(listener, number);
    store(listener);
    const [alone, ...others] = listener.begin(NOON);
    assert.deepEqual(others, []);
    succeed(listener, alone!.delivery.number);
    assert.equal(listener.begin(NOON).length, 3);
  });

  test('begins no faster than its rate', () => {
    const listener = listenerOf({ ratePerSecond: 4 });
    for (let number = 1; number <= 6; number += 1) listener.receive(eventOf(`e${number}`), NOON);
    const times: number[] = [];
    for (let now = NOON; times.length < 6; now = listener.wakeAt()!) {
      for (const { delivery } of listener.begin(now)) {
        times.push(now - NOON);
        succeed(listener, delivery.number, now);
      }
    }
    assert.deepEqual(times, [0, 250, 500, 750, 1_000, 1_250]);
  });

  test('fails what is pending when it is removed, and what is on its way unless it succeeds', () => {
    const listener = listenerOf({ concurrency: 2 });
    for (const id of ['e1', 'e2', 'e3']) listener.receive(eventOf(id), NOON);
    listener.begin(NOON);
    assert.ok(listener.remove(NOON));
    assert.ok(!listener.isIdle);
    succeed(listener, 1);
    fail(listener, 2);
    listener.receive(eventOf('late'), NOON);
    const ended = store(listener).map(({ delivery }) => [delivery.number, delivery.message]);
    assert.deepEqual(ended, [
      [3, REMOVED],
      [2, REMOVED],
    ]);
    assert.equal(listener.find(1)?.status, 'successful');
    assert.ok(listener.isIdle);
  });

  test('ends what was removed while it was being stored', () => {
    const listener = listenerOf({ retryMs: [1_000] });
    listener.receive(eventOf('e1'), NOON);
    listener.begin(NOON);
    fail(listener, 1);
    const batch = listener.store.toStore();
    listener.remove(NOON);
    assert.deepEqual(end(listener), []);
    listener.stored(batch.map(({ delivery }) => delivery.number));
    assert.deepEqual(
      end(listener).map(({ status, message }) => [status, message]),
      [['failed', REMOVED]],
    );
  });

  test('that retires goes on with what is pending and what came before, until too much fails', () => {
    const listener = listenerOf({ retryMs: [1_000], failuresMax: 1 });
    listener.receive(eventOf('e1'), NOON);
    assert.equal(listener.retire('Another is there.'), true);
    assert.equal(listener.retire('Another is there.'), false);
    listener.receive(eventOf('e2'), NOON);
    assert.deepEqual(numbersOf(listener.begin(NOON)), [1, 2]);
    fail(listener, 1, NOON, { isFinal: true });
    assert.equal(listener.memo.statusMessage, TOO_MANY_FAILURES);
    fail(listener, 2);
    store(listener);
    assert.deepEqual(listener.begin(NOON + 2_000), []);
    assert.equal(listener.deactivate('by hand'), false, 'it is already');
    listener.receive(eventOf('e3'), NOON);
    assert.equal(listener.find(3)?.status, 'skipped');
    assert.equal(listener.activate(), true);
    assert.deepEqual(numbersOf(listener.begin(NOON + 2_000)), [2]);
    assert.deepEqual([listener.memo.isRetired, listener.memo.isSuspended], [false, false]);
  });

  test('that was deactivated sends nothing once it retires, and says why', () => {
    const listener = listenerOf();
    listener.receive(eventOf('e1'), NOON);
    listener.deactivate('The receiver is broken.');
    assert.equal(listener.retire('Another is there.'), true);
    assert.equal(listener.memo.statusMessage, 'Another is there. The receiver is broken.');
    assert.deepEqual(listener.begin(NOON), []);
    const before = { ...NEWEST, staysSuspended: () => false };
    const older = new Listener(listenerOf().memo, NOTHING, before);
    older.receive(eventOf('e1'), NOON);
    older.deactivate('The receiver is broken.');
    older.retire('Another is there.');
    assert.equal(older.begin(NOON).length, 1, 'as the histories of older code have it');
  });

  test('gives no number twice, however often and however far back it is reset', () => {
    const first = listenerOf();
    first.receive(eventOf('e1'), NOON);
    const state = first.toState();
    const given = new Set<number>([1]);
    // Each time to the moment after the first event; twenty thousand come after it.
    for (let reset = 1; reset <= 3; reset += 1) {
      const listener = new Listener(first.memo, state);
      listener.skipNumbers(NOON + reset * 60_000);
      for (let event = 0; event < 20_000; event += 1) {
        const number = listener.reserve();
        assert.ok(!given.has(number), String(number));
        given.add(number);
      }
    }
  });

  test('delivers again under a new number, by hand first', () => {
    const listener = listenerOf({ retryMs: [0] });
    listener.receive(eventOf('e1'), NOON);
    listener.begin(NOON);
    succeed(listener, 1);
    const number = listener.reserve();
    const key = { eventId: 'e1', source: 'orders', type: 'order.paid' };
    listener.redeliver({ number, redeliveryOf: 1, ...key }, NOON);
    const [again] = listener.begin(NOON);
    assert.deepEqual(
      [again?.activityId, again?.reason, again?.event],
      ['2/1', 'manual', undefined],
    );
    fail(listener, 2);
    assert.equal(listener.begin(NOON)[0]?.reason, 'retry');
    succeed(listener, 2);
    assert.equal(listener.find(2)?.redeliveryOf, 1);
    assert.equal(end(listener).length, 1);
  });

  test('knows the newest of what is over', () => {
    const listener = listenerOf();
    for (let number = 1; number <= RESOLVED_MAX + 5; number += 1) {
      listener.receive(eventOf(`e${number}`), NOON);
      listener.begin(NOON);
      succeed(listener, number);
    }
    assert.equal(listener.deliveries.length, RESOLVED_MAX);
    assert.equal(listener.deliveries[0]?.number, 6);
  });

  test('goes on in the next run as it was', () => {
    const listener = listenerOf({ retryMs: [1_000, 5_000], concurrency: 2, ratePerSecond: 10 });
    for (const id of ['e1', 'e2', 'e3', 'é4']) listener.receive(eventOf(id), NOON);
    listener.begin(NOON);
    fail(listener, 1);
    store(listener);
    listener.begin(NOON + 100);
    succeed(listener, 2, NOON + 100);
    const state = JSON.parse(JSON.stringify(listener.toState())) as ReturnType<Listener['toState']>;
    const next = new Listener(listener.memo, state);
    assert.deepEqual(next.deliveries, listener.deliveries);
    assert.deepEqual(next.figures, listener.figures);
    assert.deepEqual(next.toState(), listener.toState());
    assert.equal(next.wakeAt(), NOON + 200);
    assert.equal(next.begin(NOON + 200)[0]?.event?.id, 'e3');
  });
});

describe('a workflow task', () => {
  test('stores only as much as one may schedule, and the next ones store the rest', () => {
    const listener = listenerOf();
    for (let number = 1; number <= 400; number += 1) {
      listener.receive(eventOf(`e${number}`, 'x'.repeat(15_000)), NOON);
    }
    const budget = new TaskBudget();
    const tasks: number[] = [];
    const stored: number[] = [];
    while (!listener.store.isIdle) {
      const batches: Array<ReturnType<typeof store>> = [];
      for (let batch; (batch = [...listener.store.toStore(budget)]).length > 0;) {
        batches.push(batch);
      }
      tasks.push(JSON.stringify(batches).length);
      const numbers = batches.flat().map(({ delivery }) => delivery.number);
      listener.stored(numbers);
      stored.push(...numbers);
      assert.equal(budget.isShort, !listener.store.isIdle);
      budget.passed(budget.spent);
    }
    assert.ok(Math.max(...tasks) <= TASK_BYTES_MAX, String(tasks));
    assert.deepEqual(stored, numbersFrom(stored[0] ?? 0, 400));
  });

  test('begins only as many attempts as one may schedule', () => {
    const listener = listenerOf({ concurrency: 1_000 });
    const budget = new TaskBudget();
    const begun: Array<ReturnType<Listener['begin']>> = [];
    for (let number = 1; number <= 200; number += 1) {
      // Each is read, and begun, before the next one: none of them waits.
      listener.receive(eventOf(`e${number}`, 'x'.repeat(15_000)), NOON);
      begun.push(listener.begin(NOON, budget));
    }
    const bytes = JSON.stringify(begun).length;
    assert.ok(budget.isShort);
    assert.ok(bytes > TASK_BYTES_MAX / 2 && bytes <= TASK_BYTES_MAX, `${bytes} bytes`);
    budget.passed(budget.spent);
    const next = numbersOf(listener.begin(NOON, budget));
    assert.equal(next[0], begun.flat().length + 1);
  });

  test('counts the definition and the records, not only events', () => {
    const headers = { 'x-long': 'x'.repeat(10_000) };
    const listener = listenerOf({ concurrency: 1_000, headers });
    for (let number = 1; number <= 300; number += 1) listener.receive(eventOf(`e${number}`), NOON);
    const begun = listener.begin(NOON, new TaskBudget()).length;
    assert.ok(begun > 100 && begun < 160, String(begun));
    const ending = triedOften(2_000);
    ending.remove(NOON);
    const budget = new TaskBudget();
    const told: Array<ReturnType<typeof end>> = [];
    for (let batch; (batch = ending.store.toEnd(budget)).length > 0;) told.push(batch);
    assert.ok(budget.isShort);
    assert.ok(JSON.stringify(told).length <= TASK_BYTES_MAX);
  });

  test('schedules what is larger than that alone', () => {
    const listener = listenerOf({ concurrency: 1 });
    for (const id of ['e1', 'e2', 'e3']) {
      listener.receive(eventOf(id, 'x'.repeat(TASK_BYTES_MAX)), NOON);
    }
    const budget = new TaskBudget();
    for (const number of [1, 2, 3]) {
      const stored = listener.store.toStore(budget).map(({ delivery }) => delivery.number);
      assert.deepEqual(stored, [number]);
      assert.deepEqual(listener.store.toStore(budget), []);
      budget.passed(budget.spent);
    }
  });

  test('schedules everything in the histories of older code', () => {
    const listener = listenerOf();
    for (let number = 1; number <= 400; number += 1) {
      listener.receive(eventOf(`e${number}`, 'x'.repeat(15_000)), NOON);
    }
    const budget = new TaskBudget(() => false);
    while (listener.store.toStore(budget).length > 0);
    assert.ok(budget.spent > 2 * TASK_BYTES_MAX);
    assert.ok(!budget.isShort);
  });
});

describe('the schedule', () => {
  const cases: Array<
    [delayMs: number, chance: number, retryAfterMs: number | undefined, ms: number]
  > = [
    [5_000, 0.5, undefined, 5_000],
    [5_000, 0, undefined, 4_000],
    [5_000, 1, undefined, 6_000],
    [5_000, 0.5, 30_000, 30_000],
    [5_000, 0.5, 3_600_000, 60_000], // no longer than a minute, where the schedule is short
    [300_000, 0.5, 3_600_000, 600_000], // ... or than twice the schedule
    [300_000, 0.5, 1_000, 300_000], // not sooner than the schedule
  ];
  for (const [delayMs, chance, retryAfterMs, ms] of cases) {
    test(`${delayMs} ms, ${chance}, Retry-After ${retryAfterMs} is ${ms} ms`, () => {
      assert.equal(toRetryMs({ delayMs, chance, retryAfterMs }), ms);
    });
  }

  test('no second has more attempts in it than the rate says', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 500, noNaN: true }), (rate) => {
        const { together, everyMs } = toPace(rate);
        assert.ok(Math.ceil(1_000 / everyMs) * together <= Math.ceil(rate));
        assert.ok((together * 1_000) / everyMs >= rate * 0.75, 'and it is not much slower');
      }),
    );
  });
});

describe('whatever happens', () => {
  type Step =
    | { readonly do: 'receive'; readonly size: number }
    | { readonly do: 'result'; readonly which: number; readonly outcome: Outcome }
    | { readonly do: 'pass'; readonly ms: number }
    | {
        readonly do:
          | 'begin'
          | 'store'
          | 'stored'
          | 'end'
          | 'activate'
          | 'deactivate'
          | 'next run'
          | 'redeliver';
      };
  type Outcome = 'success' | 'failure' | 'final' | 'gone';

  const outcome = fc.constantFrom<Outcome>(
    'success',
    'success',
    'failure',
    'failure',
    'final',
    'gone',
  );
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('receive' as const),
        size: fc.constantFrom(1, 1, 100_000),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('result' as const), which: fc.nat(), outcome }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(3_000) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constantFrom(
          'begin',
          'begin',
          'begin',
          'store',
          'stored',
          'end',
          'activate',
          'deactivate',
          'next run',
          'redeliver',
        ),
      }),
    },
  ) as fc.Arbitrary<Step>;
  const settings = fc.record({
    ordered: fc.boolean(),
    concurrency: fc.integer({ min: 1, max: 3 }),
    failuresMax: fc.integer({ min: 1, max: 4 }),
    retryMs: fc.array(fc.nat(2_000), { maxLength: 3 }),
    ratePerSecond: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
  });

  test('every event is delivered, failed, skipped or pending, once, and what is stored is told', () => {
    fc.assert(
      fc.property(
        settings,
        fc.array(step, { maxLength: 120, size: 'max' }),
        fc.boolean(),
        (given, steps, removed) => {
          const { ratePerSecond, ...rest } = given;
          const world = new World({ ...rest, ...(ratePerSecond && { ratePerSecond }) });
          for (const each of steps) world.take(each);
          world.finish(removed);
        },
      ),
      { numRuns: 400 },
    );
  });

  /** A listener in a world of its own that checks what it does. */
  class World {
    listener: Listener;
    readonly definition: Partial<ListenerDefinition>;
    now = NOON;
    received = 0;
    redelivered = 0;
    /** On their way. */
    attempting: number[] = [];
    storing: Array<ReturnType<typeof store>> = [];
    /** The workflows of deliveries: what they know. */
    readonly workflows = new Map<number, Delivery>();
    readonly events = new Map<number, string>();
    readonly ends = new Map<number, Delivery>();
    readonly startedAt: number[] = [];
    readonly lastBegun: number[] = [];

    constructor(definition: Partial<ListenerDefinition>) {
      this.definition = definition;
      this.listener = listenerOf(definition);
    }

    take(taken: Step): void {
      const { listener } = this;
      switch (taken.do) {
        case 'receive':
          this.received += 1;
          listener.receive(eventOf(`e${this.received}`, 'x'.repeat(taken.size)), this.now);
          this.events.set(listener.figures.deliveries, `e${this.received}`);
          break;
        case 'result':
          this.result(taken.which, taken.outcome);
          break;
        case 'pass':
          this.now += taken.ms;
          break;
        case 'begin':
          this.begin();
          break;
        case 'store':
          this.store();
          break;
        case 'stored':
          this.stored();
          break;
        case 'end':
          this.end();
          break;
        case 'activate':
          listener.activate();
          break;
        case 'deactivate':
          listener.deactivate('by hand');
          break;
        case 'redeliver':
          this.redeliver();
          break;
        case 'next run':
          if (!listener.isIdle) return;
          this.listener = new Listener(
            listener.memo,
            JSON.parse(JSON.stringify(listener.toState())) as ReturnType<Listener['toState']>,
          );
          break;
      }
      this.note();
    }

    begin(): void {
      const { ordered, ratePerSecond, concurrency = 1 } = this.definition;
      const begun = this.listener.begin(this.now);
      for (const { delivery, event } of begun) {
        const { number, eventId } = delivery;
        assert.ok(!this.attempting.includes(number), 'one attempt of a delivery at a time');
        assert.equal(delivery.status, 'pending');
        assert.equal(event?.id ?? this.events.get(number), eventId);
        assert.ok(event || this.workflows.has(number), 'the event is somewhere');
        this.attempting.push(number);
        this.startedAt.push(this.now);
        if (!ordered) continue;
        const open = this.listener.deliveries.filter(({ status }) => status === 'pending');
        assert.equal(number, open[0]?.number, 'none overtakes another');
      }
      assert.ok(this.attempting.length <= (ordered ? 1 : concurrency));
      if (ratePerSecond === undefined) return;
      const recent = this.startedAt.filter((at) => at > this.now - 1_000);
      assert.ok(recent.length <= ratePerSecond, `${recent.length} in a second`);
    }

    result(which: number, came: Outcome): void {
      if (this.attempting.length === 0) return;
      const [number = 0] = this.attempting.splice(which % this.attempting.length, 1);
      if (came === 'success') succeed(this.listener, number, this.now);
      else {
        const more = {
          ...(came === 'final' && { isFinal: true as const }),
          ...(came === 'gone' && { isGone: true as const }),
        };
        fail(this.listener, number, this.now, more);
      }
    }

    store(): void {
      const batch = this.listener.store.toStore();
      if (batch.length > 0) this.storing.push([...batch]);
    }

    stored(): void {
      const done = this.storing.shift();
      if (done === undefined) return;
      for (const { delivery, event } of done) {
        assert.ok(!this.workflows.has(delivery.number), 'stored once');
        assert.equal(event.id, delivery.eventId);
        this.workflows.set(delivery.number, delivery);
      }
      this.listener.stored(done.map(({ delivery }) => delivery.number));
    }

    end(): void {
      for (const delivery of end(this.listener)) {
        assert.equal(
          this.workflows.get(delivery.number)?.status,
          'pending',
          'told once, and in time',
        );
        this.workflows.set(delivery.number, delivery);
      }
    }

    redeliver(): void {
      const old = this.listener.deliveries.find(({ status }) => status !== 'pending');
      if (old === undefined || this.listener.status !== 'active') return;
      const number = this.listener.reserve();
      this.redelivered += 1;
      this.events.set(number, old.eventId);
      this.workflows.set(number, { ...old, number, status: 'pending' });
      const { eventId, source, type } = old;
      this.listener.redeliver(
        { number, redeliveryOf: old.number, eventId, source, type },
        this.now,
      );
    }

    /** What is over stays as it is. */
    note(): void {
      for (const delivery of this.listener.deliveries) {
        const ended = this.ends.get(delivery.number);
        if (ended) assert.deepEqual(delivery, ended);
        else if (delivery.status !== 'pending') this.ends.set(delivery.number, delivery);
      }
    }

    finish(removed: boolean): void {
      if (removed) this.listener.remove(this.now);
      while (this.attempting.length > 0) this.result(0, removed ? 'failure' : 'success');
      while (!this.listener.isIdle) {
        this.store();
        this.stored();
        this.end();
      }
      this.note();
      const pending = this.listener.deliveries.filter(({ status }) => status === 'pending');
      const all = [...this.ends.keys(), ...pending.map(({ number }) => number)];
      assert.equal(new Set(all).size, all.length, 'numbers are unique');
      assert.equal(all.length, this.received + this.redelivered, 'nothing is lost');
      if (removed) assert.deepEqual(pending, []);
      for (const [number, { status }] of this.ends) {
        const known = this.workflows.get(number)?.status;
        assert.ok(
          known === status || (known === undefined && status === 'successful'),
          `${known} is ${status}`,
        );
      }
    }
  }
});

function listenerOf(definition: Partial<ListenerDefinition> = {}): Listener {
  return new Listener({
    definition: {
      name: 'crm',
      type: 'webhook',
      sources: ['orders'],
      filter: '',
      url: 'https://crm.example/hooks',
      method: 'POST',
      headers: {},
      dialect: 'cloudevents',
      signing: [],
      ordered: false,
      concurrency: 10,
      timeoutMs: 15_000,
      retryMs: [5_000],
      failuresMax: 50,
      ...definition,
    },
    status: 'active',
    statusMessage: ACTIVE,
    createdAt: '2026-01-31T12:00:00.000Z',
    isStatic: false,
  });
}

/** With so many pending, each of which was tried 100 times, in many runs. */
function triedOften(count: number, countsAttempts = () => true): Listener {
  const { memo } = listenerOf({ concurrency: 1_000, retryMs: Array(100).fill(1_000) });
  const texts = new Texts();
  const pending = numbersFrom(1, count).map((number) => {
    const runIds = numbersFrom(number, number + 99).map((run) => `run ${run % 1_000}`.padEnd(36));
    const attempts = runIds.map((runId, index) => ({
      runId,
      activityId: `${number}/${index + 1}`,
    }));
    const key = { eventId: `e${number}`, source: 'orders', type: 'order.paid' };
    return { ...pack({ ...newDelivery(number, key, NOON), attempts }, texts), t: NOON };
  });
  const state = { ...NOTHING, lastNumber: count, pending, texts: texts.all };
  return new Listener(memo, state, { ...NEWEST, countsAttempts });
}

function numbersFrom(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function eventOf(id: string, text = ''): Event {
  const time = '2026-01-31T11:59:59Z';
  return { id, source: 'orders', type: 'order.paid', time, data: { text }, subscription: 'any' };
}

function succeed(listener: Listener, number: number, now = NOON): void {
  const result = { isSuccessful: true, message: '200 OK' };
  listener.attempted({ number, runId: RUN, ...result }, { now, chance: 0.5 });
}

function fail(
  listener: Listener,
  number: number,
  ...[now = NOON, more = {}]: [
    now?: number,
    more?: { message?: string; isFinal?: true; isGone?: true },
  ]
): void {
  const result = { isSuccessful: false, message: '500 Internal Server Error', ...more };
  listener.attempted({ number, runId: RUN, ...result }, { now, chance: 0.5 });
}

/** Stores a batch. */
function store(listener: Listener) {
  const batch = [...listener.store.toStore()];
  listener.stored(batch.map(({ delivery }) => delivery.number));
  return batch;
}

/** Tells a batch. */
function end(listener: Listener): readonly Delivery[] {
  const batch = listener.store.toEnd();
  listener.store.ended(batch.length);
  return batch;
}

function numbersOf(beginning: ReturnType<Listener['begin']>): number[] {
  return beginning.map(({ delivery }) => delivery.number);
}
