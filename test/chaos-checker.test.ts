// The checker of the chaos run: each kind of fault is planted in the records of a run without
// faults, and is found; what can not be proved is no fault.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { check, type Findings } from '../bench/chaos/checker.ts';
import type {
  HeldSubscription,
  PostedEvent,
  Records,
  SubscriberRecord,
} from '../bench/chaos/records.ts';

const FILTER = { kind: 'key', key: 'k1' } as const;
const CHAIN = { workflowId: 'subscriber-1', firstRunId: 'run-1' };

describe('The checker of the chaos run', () => {
  test('finds nothing in a run without faults, in which something was due', () => {
    assert.deepEqual(countsOf(recordsOf({})), NOTHING);
    assert.equal(check(recordsOf({})).expected, 4);
  });

  test('counts an event that never came', () => {
    const { lost } = check(recordsOf({ received: ['e1', 'e3'] }));
    assert.deepEqual(
      lost.map(({ event }) => event.id),
      ['e2'],
    );
  });

  test('counts every event of a workflow that has no record', () => {
    assert.equal(check({ ...recordsOf({}), subscribers: [] }).lost.length, 3);
  });

  test('counts an event that came twice', () => {
    const counts = countsOf(recordsOf({ received: ['e1', 'e2', 'e2', 'e3', 'e2'] }));
    assert.deepEqual(counts, { ...NOTHING, duplicated: 2 });
  });

  test('counts an event that came after one that was posted when it was acknowledged', () => {
    const records = recordsOf({ received: ['e1', 'e3', 'e2'] });
    assert.deepEqual(countsOf(records), { ...NOTHING, reordered: 1 });
    const [reordered] = check(records).reordered;
    assert.deepEqual([reordered?.first.id, reordered?.second.id], ['e2', 'e3']);
  });

  test('... also if the two came to different subscriptions of one workflow', () => {
    const records = recordsOf({});
    const other: HeldSubscription = { ...heldOf({}), id: 'other' };
    const received = [receipt('e1'), receipt('e2'), receipt('e3')];
    const others = received.map(({ event: id }) => ({ event: id, subscription: 'other' }));
    const found = countsOf({
      ...records,
      subscriptions: [...records.subscriptions, other],
      subscribers: [{ ...CHAIN, received: [...received, ...others] }],
    });
    assert.deepEqual(found, { ...NOTHING, reordered: 2 });
  });

  test('... also if the one that got the first was not known to be held when it was posted', () => {
    const records = recordsOf({ received: ['e1', 'e3'] });
    const [first] = records.subscriptions;
    assert.ok(first);
    const subscriptions = [
      { ...first, ending: { kind: 'fence', at: 5 } as const },
      { ...first, id: 'newer', heldAt: 22 },
    ];
    const received = [receipt('e3'), { event: 'e2', subscription: 'newer' }];
    const found = check({
      ...records,
      subscriptions,
      subscribers: [{ ...CHAIN, received: [...received, { event: 'e3', subscription: 'newer' }] }],
    });
    assert.deepEqual([found.reordered.length, found.lost.length], [1, 0]);
  });

  test('counts a subscription of a workflow that has ended', () => {
    const registered = { id: 's1', source: 'red', filter: '', ...CHAIN, isRunning: false };
    const records = {
      ...recordsOf({}),
      registered: [registered, { ...registered, isRunning: true }],
    };
    assert.deepEqual(countsOf(records), { ...NOTHING, leaked: 1 });
  });

  test('counts a workflow that a trigger started twice', () => {
    const starts = [{ workflowId: 'on-red/start', runIds: ['one', 'two'] }];
    assert.deepEqual(countsOf({ ...recordsOf({}), starts }), { ...NOTHING, duplicated: 1 });
  });

  test('counts a workflow that a trigger did not start', () => {
    assert.deepEqual(countsOf({ ...recordsOf({}), starts: [] }), { ...NOTHING, lost: 1 });
  });

  test('counts what does not match, and what nobody has posted', () => {
    const received = ['e1', 'other key', 'e2', 'other source', 'never posted', 'e3'];
    assert.deepEqual(countsOf(recordsOf({ received })), { ...NOTHING, unexpected: 3 });
  });

  test('counts what was acknowledged before the workflow was told to subscribe', () => {
    const records = recordsOf({ held: heldOf({ toldAt: 25, heldAt: 27 }) });
    assert.deepEqual(countsOf(records), { ...NOTHING, unexpected: 2 });
  });

  const endings: Array<[what: string, ending: HeldSubscription['ending'], lost: number]> = [
    ['to the end', { kind: 'open' }, 3],
    ['to a fence: what was acknowledged before it', { kind: 'fence', at: 25 }, 2],
    ['to a cut: what was acknowledged, and not by way of a backlog', { kind: 'cut', at: 25 }, 1],
  ];
  for (const [what, ending, lost] of endings) {
    test(`expects of a subscription that was held ${what}`, () => {
      const records = recordsOf({ received: [], held: heldOf({ ending }), queued: ['e2'] });
      assert.deepEqual(countsOf(records), { ...NOTHING, lost });
    });
  }

  test('does not expect what was posted before the subscription was held', () => {
    const records = recordsOf({ received: ['e3'], held: heldOf({ heldAt: 22 }) });
    assert.deepEqual(countsOf(records), NOTHING);
  });

  test('does not expect what was never acknowledged', () => {
    const records = recordsOf({ received: ['e1', 'e2'] });
    const events = records.events.map((event) => {
      const { acknowledgedAt: _, ...rest } = event;
      return event.id === 'e3' ? rest : event;
    });
    assert.deepEqual(countsOf({ ...records, events }), NOTHING);
  });

  test('knows no order of events that were on their way at the same time', () => {
    const records = recordsOf({ received: ['e1', 'e3', 'e2'] });
    const events = records.events.map((event) =>
      event.id === 'e2' ? { ...event, acknowledgedAt: 31 } : event,
    );
    assert.deepEqual(countsOf({ ...records, events }), NOTHING);
  });

  test('knows no order for a subscription that is newer than an event that was sent again', () => {
    const held = heldOf({ heldAt: 22 });
    const again = recordsOf({ received: ['e3', 'e2'], held, attempts: { e2: 2 } });
    assert.deepEqual(countsOf(again), NOTHING);
    const once = recordsOf({ received: ['e3', 'e2'], held });
    assert.deepEqual(countsOf(once), { ...NOTHING, reordered: 1 });
  });
});

const NOTHING = { lost: 0, duplicated: 0, reordered: 0, leaked: 0, unexpected: 0 };

function countsOf(records: Records): Record<keyof typeof NOTHING, number> {
  const { lost, duplicated, reordered, leaked, unexpected }: Findings = check(records);
  return {
    lost: lost.length,
    duplicated: duplicated.length,
    reordered: reordered.length,
    leaked: leaked.length,
    unexpected: unexpected.length,
  };
}

interface Planted {
  readonly received?: readonly string[];
  readonly held?: HeldSubscription;
  readonly queued?: readonly string[];
  readonly attempts?: Readonly<Record<string, number>>;
}

/** Three events for one subscription, one after the other; two for nobody; one for a trigger. */
function recordsOf({ received, held, queued, attempts }: Planted): Records {
  const events: PostedEvent[] = [
    eventOf('e1', 10),
    eventOf('e2', 20),
    eventOf('e3', 30),
    { ...eventOf('other key', 12), body: { key: 'k2', group: 'g', size: 0 } },
    { ...eventOf('other source', 22), source: 'green' },
    { ...eventOf('start', 40), body: { key: 'k2', group: 'g', size: 0, starts: true } },
  ];
  return {
    events: events.map((event) => ({
      ...event,
      queued: queued?.includes(event.id) ?? false,
      attempts: attempts?.[event.id] ?? 1,
    })),
    subscriptions: [held ?? heldOf({})],
    subscribers: [subscriberOf(received ?? ['e1', 'e2', 'e3'])],
    starts: [{ workflowId: 'on-red/start', runIds: ['one'] }],
    registered: [],
  };
}

/** Posted at a time, and acknowledged one millisecond later. */
function eventOf(id: string, postedAt: number): PostedEvent {
  const body = { key: 'k1', group: 'g', size: 0 };
  const acknowledgedAt = postedAt + 1;
  return { id, source: 'red', body, postedAt, acknowledgedAt, attempts: 1, queued: false };
}

function heldOf(given: Partial<HeldSubscription>): HeldSubscription {
  const ending = { kind: 'open' } as const;
  return {
    id: 's1',
    ...CHAIN,
    source: 'red',
    filter: FILTER,
    toldAt: 0,
    heldAt: 5,
    ending,
    ...given,
  };
}

function subscriberOf(received: readonly string[]): SubscriberRecord {
  return { ...CHAIN, received: received.map(receipt) };
}

function receipt(event: string) {
  return { subscription: 's1', event };
}
