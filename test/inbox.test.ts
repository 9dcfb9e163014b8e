import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { Event } from '../events/event.ts';
import { WINDOW_EVENTS_MAX } from '../workflows/event-window.ts';
import { Inbox, TRIGGER_SUBSCRIPTION } from '../workflows/inbox.ts';
import type { EventBatch } from '../workflows/messages.ts';
import type { Waiter } from '../workflows/waiters.ts';

describe('Inbox', () => {
  test('gives events in the order they arrived, across subscriptions', () => {
    const inbox = inboxHolding('a', 'b');
    inbox.receive(batchOf(['e1', 'a'], ['e2', 'b'], ['e3', 'a']));
    assert.deepEqual(takeAll(inbox, 'b', 'a'), ['e1', 'e2', 'e3']);
  });

  test('gives each overlapping subscription its own copy, and says whose it is', () => {
    const inbox = inboxHolding('a', 'b');
    inbox.receive(batchOf(['e1', 'a', 'b']));
    assert.deepEqual(inbox.take(new Set(['b'])), { ...eventOf('e1'), subscription: 'b' });
    assert.deepEqual(inbox.take(new Set(['a'])), { ...eventOf('e1'), subscription: 'a' });
    assert.equal(inbox.take(new Set(['a', 'b'])), undefined);
  });

  test('drops an event signalled twice, and gives a subscription that was late its copy', () => {
    const inbox = inboxHolding('a', 'b');
    inbox.receive(batchOf(['e1', 'a']));
    inbox.receive(batchOf(['e1', 'a', 'b']));
    assert.deepEqual(takeAll(inbox, 'a'), ['e1']);
    assert.deepEqual(takeAll(inbox, 'b'), ['e1']);
  });

  test('takes the same id from two sources as two events', () => {
    const inbox = inboxHolding('a');
    inbox.receive(batchOf(['e1', 'a']));
    inbox.receive({
      to: 'run',
      events: [{ event: { ...eventOf('e1'), source: 'other' }, subscriptions: ['a'] }],
    });
    assert.deepEqual(takeAll(inbox, 'a'), ['e1', 'e1']);
  });

  test('gives no subscription an event that the workflow had received before', () => {
    const inbox = inboxHolding('a');
    inbox.receive(batchOf(['e1', 'a']));
    inbox.hold(heldAs('b'));
    inbox.receive(batchOf(['e1', 'b'], ['e2', 'b']));
    assert.deepEqual(takeAll(inbox, 'b'), ['e2']);
  });

  test('gives no subscription the event that started the workflow, early or late', () => {
    const inbox = newInbox();
    inbox.receive(batchOf(['e0', 'a']));
    inbox.startedBy(eventOf('e0'));
    inbox.hold(heldAs('a'));
    inbox.receive(batchOf(['e0', 'a'], ['e1', 'a']));
    assert.deepEqual(takeAll(inbox, 'a'), ['e1']);
  });

  test('keeps what comes before its subscription is minted, for that subscription only', () => {
    const inbox = newInbox();
    inbox.receive(batchOf(['e1', 'a'], ['e2', 'b']));
    inbox.hold(heldAs('a'));
    assert.deepEqual(takeAll(inbox, 'a', 'b'), ['e1']);
  });

  test('gives what came early in its order with what was not read', () => {
    const inbox = inboxHolding('a');
    inbox.receive(batchOf(['e1', 'a'], ['e2', 'b'], ['e3', 'a', 'b'], ['e4', 'b'], ['e5', 'a']));
    inbox.hold(heldAs('b'));
    assert.deepEqual(takeAll(inbox, 'a', 'b'), ['e1', 'e2', 'e3', 'e3', 'e4', 'e5']);
    assert.deepEqual(
      inbox.describe().map(({ received }) => received),
      [3, 3],
    );
  });

  test('... once, and not again', () => {
    const inbox = inboxHolding('a');
    inbox.receive(batchOf(['e1', 'a', 'b'], ['e1', 'b'], ['e2', 'b'], ['e2', 'b']));
    inbox.hold(heldAs('b'));
    inbox.receive(batchOf(['e1', 'b'], ['e2', 'b'], ['e3', 'b']));
    assert.deepEqual(takeAll(inbox, 'b'), ['e1', 'e2', 'e3']);
  });

  test('... but for what was read before the subscription was made', () => {
    const inbox = inboxHolding('a', 'c');
    inbox.receive(batchOf(['e1', 'a', 'b', 'c'], ['e2', 'a', 'b'], ['e3', 'b']));
    readOne(inbox, 'a');
    inbox.hold(heldAs('b'));
    inbox.receive(batchOf(['e1', 'b']));
    assert.deepEqual(takeAll(inbox, 'b'), ['e2', 'e3']);
  });

  test('... or received by the run before, or has started the workflow', () => {
    const before = inboxHolding('a');
    before.receive(batchOf(['e1', 'a'], ['e2', 'a']));
    const inbox = nextRunOf(before);
    inbox.feed([eventOf('e0')]);
    inbox.receive(batchOf(['e0', 'b'], ['e1', 'b'], ['e3', 'a', 'b']));
    inbox.startedBy(eventOf('e0'));
    inbox.hold(heldAs('b'));
    assert.deepEqual(takeAll(inbox, 'b'), ['e3']);
  });

  test('... also if the other subscription has ended, and nobody has read it', () => {
    const inbox = inboxHolding('a');
    inbox.receive(batchOf(['e1', 'a', 'b'], ['e2', 'b']));
    inbox.end('a');
    inbox.hold(heldAs('b'));
    assert.deepEqual(takeAll(inbox, 'b'), ['e1', 'e2']);
  });

  test('... however many there are', () => {
    const inbox = inboxHolding('a');
    const ids = Array.from({ length: WINDOW_EVENTS_MAX + 1_000 }, (_, index) => `e${index}`);
    inbox.receive(
      batchOf(...ids.map((id, at): [string, string] => [id, at === 2_000 ? 'a' : 'b'])),
    );
    inbox.hold(heldAs('b'));
    assert.deepEqual(takeAll(inbox, 'a', 'b'), ids);
  });

  test('... and carries it as one event for two subscriptions', () => {
    const inbox = inboxHolding('a');
    inbox.receive(batchOf(['e1', 'a', 'b']));
    holdIn(inbox, 'b');
    assert.deepEqual([inbox.toState().events.length, inbox.toState().unread.length], [1, 2]);
  });

  test('... and behind it, and only what is its alone, in the histories of older code', () => {
    const inbox = inboxHolding('a');
    inbox.receive(batchOf(['e1', 'a'], ['e2', 'b'], ['e3', 'a', 'b'], ['e4', 'a']));
    inbox.hold(heldAs('b'), () => false);
    assert.deepEqual(takeAll(inbox, 'a', 'b'), ['e1', 'e3', 'e4', 'e2']);
  });

  test('hands an arrival to the waiter that waited longest for it', () => {
    const inbox = inboxHolding('a', 'b');
    const given: string[] = [];
    inbox.wait(waiterFor(['b'], (event) => given.push(`first ${event.id}`)));
    inbox.wait(waiterFor(['a', 'b'], (event) => given.push(`second ${event.id}`)));
    inbox.receive(batchOf(['e1', 'a'], ['e2', 'b'], ['e3', 'b']));
    assert.deepEqual(given, ['second e1', 'first e2']);
    assert.deepEqual(takeAll(inbox, 'b'), ['e3']);
  });

  test('gives a waiter that left nothing, and keeps the event', () => {
    const inbox = inboxHolding('a');
    const waiter = waiterFor(['a'], () => assert.fail('it had left'));
    inbox.wait(waiter);
    assert.equal(inbox.leave(waiter), true);
    inbox.receive(batchOf(['e1', 'a']));
    assert.equal(inbox.leave(waiter), false);
    assert.deepEqual(takeAll(inbox, 'a'), ['e1']);
  });

  test('drops what is queued for a subscription that ends, and what still comes', () => {
    const inbox = inboxHolding('a', 'b');
    inbox.receive(batchOf(['e1', 'a', 'b']));
    inbox.end('a');
    inbox.receive(batchOf(['e2', 'a']));
    inbox.hold(heldAs('a'));
    assert.deepEqual(takeAll(inbox, 'a'), []);
    assert.deepEqual(takeAll(inbox, 'b'), ['e1']);
    assert.deepEqual(inbox.releasing, [{ id: 'a', source: 'shop' }]);
  });

  test('tells a waiter whose subscriptions have all ended', () => {
    const inbox = inboxHolding('a', 'b');
    let abandoned = 0;
    inbox.wait({ ...waiterFor(['a', 'b'], () => {}), abandon: () => (abandoned += 1) });
    inbox.end('a');
    assert.equal(abandoned, 0);
    inbox.end('b');
    assert.equal(abandoned, 1);
  });

  test('gives nothing once it is closed, and leaves every arrival to the next run', () => {
    const inbox = inboxHolding('a');
    inbox.wait(waiterFor(['a'], () => assert.fail('the run is over')));
    inbox.close();
    inbox.receive(batchOf(['e1', 'a'], ['e2', 'a']));
    assert.equal(inbox.take(new Set(['a'])), undefined);
    assert.deepEqual(takeAll(nextRunOf(inbox), 'a'), ['e1', 'e2']);
  });

  test('carries subscriptions, unread events, order and window to the next run', () => {
    const inbox = inboxHolding('a', 'b');
    inbox.receive(batchOf(['e1', 'a', 'b'], ['e2', 'b'], ['e3', 'a']));
    inbox.take(new Set(['a']));
    inbox.end('gone');
    const next = nextRunOf(inbox);
    assert.deepEqual(next.held, inbox.held);
    next.receive(batchOf(['e1', 'a'], ['e2', 'a'], ['e4', 'a']));
    assert.deepEqual(takeAll(next, 'a', 'b'), ['e1', 'e2', 'e3', 'e2', 'e4']);
  });

  test('gives what its trigger brings, without a subscription that a source knows', () => {
    const inbox = inboxHolding('a');
    inbox.feed([eventOf('e1')]);
    inbox.receive(batchOf(['e2', 'a']));
    inbox.feed([eventOf('e3'), eventOf('e1')]);
    assert.deepEqual(takeAll(inbox, TRIGGER_SUBSCRIPTION, 'a'), ['e1', 'e2', 'e3']);
    assert.deepEqual(
      inbox.held.map(({ id }) => id),
      ['a'],
    );
  });

  test('gives no event of its trigger that started the workflow, whatever else came first', () => {
    const inbox = newInbox();
    const before = Array.from({ length: WINDOW_EVENTS_MAX }, (_, index) => eventOf(`e${index}`));
    inbox.feed([eventOf('start'), ...before]);
    inbox.startedBy(eventOf('start'));
    inbox.feed([eventOf('start'), eventOf('last')]);
    const taken = takeAll(inbox, TRIGGER_SUBSCRIPTION);
    assert.deepEqual(taken, [...before.map(({ id }) => id), 'last']);
  });

  test('carries what its trigger brought, and what tells a repetition of it', () => {
    const inbox = inboxHolding('a');
    inbox.startedBy(eventOf('start'));
    inbox.feed([eventOf('e1'), eventOf('e2'), eventOf('e3')]);
    inbox.receive(batchOf(['e2', 'a']));
    inbox.take(new Set([TRIGGER_SUBSCRIPTION]));
    const next = nextRunOf(inbox);
    next.feed([eventOf('start'), eventOf('e1'), eventOf('e3'), eventOf('e4')]);
    // The argument of this run: what it has not read of it before is still its own.
    next.startedBy(eventOf('e2'));
    assert.deepEqual(takeAll(next, TRIGGER_SUBSCRIPTION), ['e2', 'e3', 'e4']);
    assert.deepEqual(takeAll(next, 'a'), ['e2']);
  });

  test('gives what was taken back first, also what came before all that it remembers', () => {
    const inbox = inboxHolding('a', 'b');
    const ids = Array.from({ length: WINDOW_EVENTS_MAX + 500 }, (_, index) => `e${index}`);
    inbox.receive(batchOf(...ids.map((id): [string, string] => [id, 'a'])));
    for (const run of [inbox, nextRunOf(inbox)]) {
      const waiters = Array.from({ length: 3 }, () => waiterFor(['a'], () => {}));
      for (const waiter of waiters) {
        const taken = run.take(waiter.ids);
        assert.ok(taken);
        run.turns.queue(waiter, taken);
      }
      for (const waiter of waiters) assert.equal(run.leave(waiter), true);
      assert.deepEqual(takeAll(nextRunOf(run), 'a'), ids);
      assert.deepEqual(takeAll(run, 'a'), ids);
    }
  });

  test('hands no subscription on whose id no code has yet, and ends it', () => {
    const inbox = inboxHolding('a');
    inbox.hold(heldAs('b'));
    inbox.receive(batchOf(['e1', 'a', 'b']));
    const next = nextRunOf(inbox);
    assert.deepEqual([next.holds('a'), next.holds('b')], [true, false]);
    assert.deepEqual(next.releasing, [{ id: 'b', source: 'shop' }]);
    assert.deepEqual(takeAll(next, 'a', 'b'), ['e1']);
  });

  test('gives nothing to code that has ended, and leaves what is unread to the next run', () => {
    const inbox = inboxHolding('a');
    const got: string[] = [];
    inbox.feed([eventOf('e1'), eventOf('e2')]);
    const waiter = waiterFor([TRIGGER_SUBSCRIPTION], (event) => got.push(event.id));
    inbox.turns.queue(waiter, inbox.take(waiter.ids)!);
    inbox.dismissWaiters();
    inbox.feed([eventOf('e3')]);
    assert.equal(inbox.take(waiter.ids), undefined);
    assert.deepEqual([inbox.takeUnread(waiter.ids)?.id, got], ['e1', []]);
    assert.deepEqual(takeAll(nextRunOf(inbox), TRIGGER_SUBSCRIPTION), ['e2', 'e3']);
    // What does not fit into the next run is for this one, once more.
    inbox.reopen();
    assert.deepEqual(takeAll(inbox, TRIGGER_SUBSCRIPTION), ['e2', 'e3']);
  });

  test('goes on where it was, if it could not continue as new', () => {
    const inbox = inboxHolding('a', 'b');
    const got: string[] = [];
    inbox.receive(batchOf(['e0', 'b']));
    const promised = waiterFor(['b'], (event) => got.push(event.id));
    inbox.turns.queue(promised, inbox.take(promised.ids)!);
    inbox.wait(waiterFor(['a'], (event) => got.push(event.id)));
    inbox.close();
    inbox.receive(batchOf(['e1', 'b'], ['e2', 'a'], ['e3', 'a']));
    assert.equal(inbox.take(new Set(['b'])), undefined);
    inbox.reopen();
    assert.deepEqual(got.toSorted(), ['e0', 'e2']);
    assert.deepEqual(takeAll(inbox, 'a', 'b'), ['e1', 'e3']);
  });

  test('is suspended for the next run, too, until it is registered again', () => {
    const inbox = inboxHolding('a');
    inbox.suspend();
    const next = nextRunOf(inbox);
    assert.equal(next.suspended, true);
    next.resume('the next');
    assert.equal(next.suspended, false);
    assert.equal(nextRunOf(next).suspended, true);
    next.resumed();
    assert.equal(nextRunOf(next).suspended, false);
    assert.deepEqual(
      nextRunOf(next).held.map(({ run }) => run),
      ['the next'],
    );
  });

  test('remembers the last events, and no more', () => {
    const inbox = inboxHolding('a');
    const ids = Array.from({ length: WINDOW_EVENTS_MAX + 1 }, (_, index) => `e${index}`);
    inbox.receive(batchOf(...ids.map((id): [string, string] => [id, 'a'])));
    takeAll(inbox, 'a');
    inbox.receive(batchOf(['e1', 'a'], ['e0', 'a']));
    assert.deepEqual(takeAll(inbox, 'a'), ['e0']);
    assert.equal(inbox.toState().window.length, WINDOW_EVENTS_MAX);
  });
});

function newInbox(): Inbox {
  return new Inbox({
    isSingle: true,
    isAlone: true,
    isInScope: false,
    wake: () => true,
    rest: () => Promise.resolve(),
  });
}

function inboxHolding(...ids: string[]): Inbox {
  const inbox = newInbox();
  for (const id of ids) holdIn(inbox, id);
  return inbox;
}

function holdIn(inbox: Inbox, id: string): void {
  inbox.hold(heldAs(id));
  inbox.registered(id, { inTurn: 'everyone' });
}

function heldAs(id: string) {
  return { id, source: 'shop', filter: '' };
}

function eventOf(id: string): Event {
  return { id, source: 'shop', type: 'post', time: '2026-01-01T00:00:00Z', data: {} };
}

function batchOf(...events: Array<[eventId: string, ...subscriptions: string[]]>): EventBatch {
  return {
    to: 'run',
    events: events.map(([id, ...subscriptions]) => ({ event: eventOf(id), subscriptions })),
  };
}

function waiterFor(ids: string[], goOn: Waiter['goOn']): Waiter {
  return { ids: new Set(ids), goOn, stop() {}, abandon() {} };
}

function takeAll(inbox: Inbox, ...ids: string[]): string[] {
  const wanted = new Set(ids);
  const taken: string[] = [];
  for (let event = inbox.take(wanted); event; event = inbox.take(wanted)) taken.push(event.id);
  return taken;
}

function readOne(inbox: Inbox, id: string): void {
  const event = inbox.take(new Set([id]));
  assert.ok(event);
  inbox.read(event);
}

function nextRunOf(inbox: Inbox): Inbox {
  const next = newInbox();
  next.restore(JSON.parse(JSON.stringify(inbox.toState())));
  return next;
}
