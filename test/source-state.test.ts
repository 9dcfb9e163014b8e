import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { replaySource } from '../activities/recover-source.ts';
import { receivesFrom, type Registration } from '../events/subscription.ts';
import { PAGE_BYTES_MAX } from '../workflows/source-page.ts';
import { REMOVALS_MAX } from '../workflows/removals.ts';
import { Source } from '../workflows/source-state.ts';

const run = { firstRunId: 'first', runId: 'run' };

describe('the state of a source', () => {
  test('answers what changed since a version, over runs too', () => {
    const source = sourceWith('a', 'b');
    const { version } = source;
    register(source, [registrationOf('c')]);
    source.unregister({ ids: ['a'] });
    for (const kept of [source, nextRunOf(source)]) {
      const changes = kept.changes({ firstRunId: 'first', since: version }, run);
      assert.equal(changes.snapshot, false);
      assert.deepEqual(
        changes.added.map(({ id, seq }) => [id, seq]),
        [['c', 3]],
      );
      assert.deepEqual(changes.removed, ['a']);
      assert.equal(changes.version, 4);
    }
  });

  test('answers another chain of runs, and a version from the future, with a snapshot', () => {
    const source = sourceWith('a', 'b');
    for (const asked of [
      { firstRunId: 'other', since: 1 },
      { firstRunId: 'first', since: 9 },
    ]) {
      const changes = source.changes(asked, run);
      assert.equal(changes.snapshot, true);
      assert.deepEqual(
        changes.added.map(({ id }) => id),
        ['a', 'b'],
      );
    }
  });

  test('answers with a snapshot once the removals since are forgotten', () => {
    const source = sourceWith('a', 'b');
    source.unregister({
      ids: Array.from({ length: REMOVALS_MAX + 1 }, (_, index) => `gone-${index}`),
    });
    assert.equal(source.changes({ firstRunId: 'first', since: 2 }, run).snapshot, true);
    assert.equal(source.changes({ firstRunId: 'first', since: 3 }, run).snapshot, false);
  });

  test('does not add twice, nor after its end came first', () => {
    const source = sourceWith('a');
    register(source, [registrationOf('a')]);
    source.unregister({ ids: ['late'] });
    register(source, [registrationOf('late')]);
    assert.deepEqual(idsOf(source), ['a']);
    source.register({ registrations: [registrationOf('late')], again: true }, 0);
    assert.deepEqual(idsOf(source), ['a', 'late']);
  });

  test('gives a snapshot in pages that together hold everything', () => {
    const ids = Array.from({ length: 3_000 }, (_, index) => `id-${index}`);
    const source = new Source(undefined);
    const filter = 'x'.repeat(1_000);
    register(
      source,
      ids.map((id) => ({ ...registrationOf(id), filter })),
    );
    const got: string[] = [];
    let pages = 0;
    for (let after: number | undefined = 0; after !== undefined; pages += 1) {
      const page = source.changes({ firstRunId: '', since: 0, after }, run);
      assert.ok(JSON.stringify(page).length < 1.1 * PAGE_BYTES_MAX);
      got.push(...page.added.map(({ id }) => id));
      after = page.next;
    }
    assert.deepEqual(got, ids);
    assert.ok(pages > 2);
  });

  test('is not changed by signals that are none of its own', () => {
    const source = sourceWith('a');
    const before = source.toState();
    const context = { nowMs: 1, firstRunId: 'first' };
    const names = ['register', 'unregister', 'accept', 'suspend', 'event'];
    const wrong = [
      undefined,
      null,
      'ids',
      ...[null, 'a', {}, [null], [1], [{}]].map((list) => {
        return { registrations: list, ids: list, entries: list, undeliverable: 1 };
      }),
    ];
    for (const name of names) {
      for (const argument of wrong) {
        source.apply(name, argument, context);
      }
    }
    assert.deepEqual(source.toState(), before);
    source.apply('register', { registrations: [registrationOf('b')] }, context);
    assert.deepEqual(idsOf(source), ['a', 'b']);
  });

  test('places an accepted event before every later subscription', () => {
    const source = sourceWith('a');
    source.accept({ entries: [{ eventId: 'e1', after: 0 }] }, 'first');
    register(source, [registrationOf('b')]);
    source.accept({ entries: [{ eventId: 'e2', after: 1 }] }, 'first');
    const next = nextRunOf(source);
    assert.deepEqual(
      next.backlog.map(({ eventId, place }) => [eventId, place]),
      [
        ['e1', 1],
        ['e2', 2],
      ],
    );
    next.dispatched(1);
    assert.deepEqual(
      next.backlog.map(({ eventId }) => eventId),
      ['e2'],
    );
  });

  test('gives the oldest events, so many and so much of them, or one', () => {
    const source = sourceWith();
    const leftOver = ['x'.repeat(1_000)];
    const entries = ['e1', 'e2', 'e3'].map((eventId) => ({ eventId, after: 0, leftOver }));
    source.accept({ entries }, 'first');
    for (const [countMax, bytesMax, count] of [
      [2, Infinity, 2],
      [9, Infinity, 3],
      [9, 2_500, 2],
      [9, 500, 1],
    ] as const) {
      assert.deepEqual(source.oldest(countMax, bytesMax), source.backlog.slice(0, count));
    }
  });

  test('says since when its oldest event has waited, if its run is one that does', () => {
    const source = sourceWith();
    source.accept({ entries: [{ eventId: 'e0', after: 0 }] }, 'first');
    const accepted = [10, 20].map((acceptedAt) => ({ eventId: 'e', after: 0, acceptedAt }));
    source.accept({ entries: accepted }, 'first');
    assert.ok(!('oldestAcceptedAt' in source.memo), 'a run that an older version began');
    source.tellsAge = true;
    assert.equal(source.memo.oldestAcceptedAt, 0, 'an older ingress does not say');
    const kept = nextRunOf(source);
    kept.tellsAge = true;
    for (const oldest of [10, 20, 0]) {
      kept.dispatched(1);
      assert.equal(kept.memo.oldestAcceptedAt, oldest);
    }
  });

  test('suspends, shows that to who asks for changes, and ends it when it is registered again', () => {
    const source = sourceWith('a', 'b');
    source.suspend({ ids: ['a', 'not there'], undeliverable: 3 });
    const asked = { firstRunId: 'first', since: 2 };
    const [suspended, ...others] = source.changes(asked, run).added;
    assert.deepEqual(others, []);
    assert.deepEqual(
      [suspended?.id, suspended?.seq, suspended?.suspended, suspended?.undeliverable],
      ['a', 1, true, 3],
    );
    assert.equal(nextRunOf(source).memo.suspended, 1);
    // Whoever did not know of it yet counts as well.
    source.suspend({ ids: ['a'], undeliverable: 1, upTo: 2 });
    assert.equal(source.changes(asked, run).added[0]?.undeliverable, 4);
    source.register({ registrations: [{ ...registrationOf('a'), run: 'next' }], again: true }, 0);
    const [resumed] = source.changes({ ...asked, since: 4 }, run).added;
    assert.deepEqual([resumed?.seq, resumed?.suspended, resumed?.run], [1, undefined, 'next']);
    assert.equal(source.memo.suspended, 0);
  });

  test('says from which version on one gets events that was suspended', () => {
    const source = sourceWith('a', 'b');
    const again = { registrations: [registrationOf('a')], again: true } as const;
    const from = (kept: Source) => kept.changes(asked, run).added.map(receivesFrom).toSorted();
    const asked = { firstRunId: '', since: 0 };
    source.register(again, 0);
    assert.deepEqual(from(source), [1, 2], 'it had not been suspended');
    source.suspend({ ids: ['a'], undeliverable: 0 });
    assert.deepEqual(from(source), [1, 2], 'it had got events until then');
    source.register(again, 0);
    assert.deepEqual(from(source), [2, 5]);
    source.register(again, 0);
    source.suspend({ ids: ['a'], undeliverable: 0 });
    for (const kept of [source, nextRunOf(source)]) assert.deepEqual(from(kept), [2, 5]);
    source.register(again, 0);
    assert.deepEqual(from(source), [2, 8]);
  });

  test('does not suspend or remove what was registered again since', () => {
    const source = sourceWith('a', 'b');
    const { version } = source;
    const again = ['a', 'b'].map((id) => ({ ...registrationOf(id), run: 'next' }));
    source.register({ registrations: again, again: true }, 0);
    source.suspend({ ids: ['a'], undeliverable: 1, upTo: version });
    source.suspend({ ids: ['b'], undeliverable: 0, run: 'before' });
    source.unregister({ ids: ['a'], upTo: version });
    assert.deepEqual(idsOf(source), ['a', 'b']);
    assert.equal(source.memo.suspended, 0);
    // Of a sweep, which knows of no run that has registered it since.
    source.register({ registrations: [registrationOf('b')], again: true }, 0);
    source.suspend({ ids: ['b'], undeliverable: 0, run: 'before' });
    assert.equal(source.memo.suspended, 0);
    source.suspend({ ids: ['b'], undeliverable: 0, run: 'next' });
    source.unregister({ ids: ['a'], upTo: source.version });
    assert.deepEqual(idsOf(source), ['b']);
    assert.equal(source.memo.suspended, 1);
  });

  test('knows about how large it is', () => {
    const source = sourceWith('a', 'b', 'c');
    const written = JSON.stringify(source.toState()).length;
    assert.ok(source.stateBytes >= written && source.stateBytes < 2 * written);
    source.unregister({ ids: ['a', 'b', 'c'] });
    assert.equal(source.stateBytes, 0);
  });
});

describe('what a source held when it was terminated', () => {
  const first = started({ source: 'shop', isFirst: true });

  test('is what its signals made of what it began with', () => {
    const before = sourceWith('a', 'b');
    const { recovered: source } = replaySource([
      started({ source: 'shop', state: before.toState() }),
      signal('register', { registrations: [registrationOf('c')] }),
      signal('unregister', { ids: ['a'] }),
      signal('accept', { entries: [{ eventId: 'e1', after: 3, chain: 'first' }] }),
      signal('accept', { entries: [{ eventId: 'e2', after: 3, chain: 'another' }] }),
      signal('suspend', { ids: ['b'], undeliverable: 2 }),
      signal('of somebody else', {}),
    ]);
    assert.deepEqual(idsOf(source), ['c', 'b']);
    assert.deepEqual(
      source.backlog.map(({ eventId, after, place }) => [eventId, after, place]),
      [
        ['e1', 3, 4],
        ['e2', 0, 4],
      ],
    );
    assert.equal(source.version, 5);
  });

  test('is without what was dispatched of its backlog, and with what was not', () => {
    const entries = ['e1', 'e2', 'e3'].map((eventId) => ({ eventId, after: 0 }));
    const { recovered: source } = replaySource([
      first,
      signal('accept', { entries }),
      dispatch('7', 2),
      completed('7'),
      dispatch('9', 1),
    ]);
    assert.deepEqual(
      source.backlog.map(({ eventId }) => eventId),
      ['e3'],
    );
  });

  test('is what it recovered itself, and is not known before', () => {
    const state = sourceWith('a').toState();
    const changes = [
      started({ source: 'shop' }),
      signal('register', { registrations: [registrationOf('late')] }),
    ];
    assert.equal(replaySource(changes).recovered.isRecovering, true);
    const { recovered: source } = replaySource([
      ...changes,
      recover('1'),
      completed('1', { state, backlog: [entry('e1')], hasMore: true }),
      recover('2'),
      completed('2', { backlog: [entry('e2')], hasMore: false }),
    ]);
    assert.equal(source.isRecovering, false);
    assert.deepEqual(idsOf(source), ['a', 'late']);
    assert.deepEqual(
      source.backlog.map(({ eventId }) => eventId),
      ['e1', 'e2'],
    );
  });
});

function started(input: object) {
  return { kind: 'started', input, firstRunId: 'first' } as const;
}

function signal(name: string, argument: unknown) {
  return { kind: 'signal', name, argument, at: 5 } as const;
}

function dispatch(id: string, count: number) {
  const entries = Array.from({ length: count }, () => ({}));
  return {
    kind: 'scheduled',
    id,
    type: 'nexteventDispatchBacklog',
    input: { source: 'shop', entries },
  } as const;
}

function recover(id: string) {
  return { kind: 'scheduled', id, type: 'nexteventRecover', input: {} } as const;
}

function completed(id: string, result?: unknown) {
  return { kind: 'completed', id, result, at: 6 } as const;
}

function entry(eventId: string) {
  return { eventId, after: 0, place: 1 };
}

function register(source: Source, registrations: readonly Registration[]): void {
  source.register({ registrations }, 0);
}

function sourceWith(...ids: string[]): Source {
  const source = new Source(undefined);
  register(source, ids.map(registrationOf));
  return source;
}

function registrationOf(id: string) {
  return { id, filter: `data.id == '${id}'`, workflowId: `workflow-${id}`, firstRunId: 'run' };
}

function idsOf(source: Source): string[] {
  return source.changes({ firstRunId: '', since: 0 }, run).added.map(({ id }) => id);
}

function nextRunOf(source: Source): Source {
  return new Source(JSON.parse(JSON.stringify(source.toState())));
}
