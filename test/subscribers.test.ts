import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { SourceDescription } from '../dispatch/source-client.ts';
import { READING_MS_MAX, Subscribers } from '../dispatch/subscribers.ts';
import type { Changes } from '../workflows/messages.ts';

const BACKLOG = 3;

/** A source in the middle of a workflow task, with a backlog, that counts who asks it. */
class BusySource {
  asked: number[] = [];
  readonly segments = { read: () => assert.fail('it has no segments') };

  async describe(): Promise<SourceDescription> {
    const memo = { version: 1, backlog: BACKLOG, stateBytes: 0 };
    const is = { isRunning: true, isOpen: true, isPending: true, hasRoom: true };
    return { runId: 'run', memo, ...is };
  }

  async changes(_source: string, _request: unknown, forMs = 0): Promise<Changes> {
    this.asked.push(forMs);
    const run = { firstRunId: 'run', runId: 'run', version: 1, backlog: BACKLOG };
    return { ...run, snapshot: true, added: [], removed: [] };
  }
}

/** A source that answers no question for a while, and changes meanwhile unless it has a version. */
class SlowSource extends BusySource {
  readonly #answersAt: number;
  readonly #version: number | undefined;
  #changes = 0;

  constructor(afterMs: number, { version }: { readonly version?: number } = {}) {
    super();
    this.#answersAt = performance.now() + afterMs;
    this.#version = version;
  }

  override async describe(): Promise<SourceDescription> {
    this.#changes += 1;
    const memo = { version: this.#version ?? this.#changes, backlog: 0, stateBytes: 0 };
    return { ...(await super.describe()), memo };
  }

  override async changes(...asked: Parameters<BusySource['changes']>): Promise<Changes> {
    const changes = await super.changes(...asked);
    if (performance.now() < this.#answersAt) throw new Error('the server has a question already');
    return { ...changes, backlog: 0 };
  }
}

describe('While a source has a backlog', () => {
  test('an ingress leaves its one question to who dispatches it: what comes goes behind it', async () => {
    const source = new BusySource();
    const subscribers = new Subscribers('busy', source);
    const { kind, backlog } = await subscribers.read();
    assert.deepEqual({ kind, backlog }, { kind: 'unknown', backlog: BACKLOG });
    assert.deepEqual(source.asked, []);
  });

  test('who dispatches it asks, and for as long as it can wait', async () => {
    const source = new BusySource();
    const subscribers = new Subscribers('busy', source, {
      readingMsMax: 10_000,
      queryMsMax: 10_000,
      asksBesideBacklog: true,
    });
    assert.equal((await subscribers.read()).kind, 'current');
    const [forMs = 0] = source.asked;
    assert.ok(forMs > 9_000, `${forMs} ms`);
  });

  test('who wants to see every subscription is told, once', async () => {
    const source = new BusySource();
    const subscribers = new Subscribers('busy', source);
    const [, insisted] = await Promise.all([subscribers.read(), subscribers.readBesideBacklog()]);
    assert.equal(insisted.kind, 'current');
    assert.equal((await subscribers.read()).kind, 'unknown');
    assert.equal(source.asked.length, 1);
  });
});

describe('While a source is too busy to answer', () => {
  test('a reading waits longer if the source is seen to change', async () => {
    const source = new SlowSource(READING_MS_MAX + 100);
    const subscribers = new Subscribers('busy', source);
    assert.equal((await subscribers.read()).kind, 'current');
    assert.ok(source.asked.length > 1);
  });

  test('... and not if it stands still', async () => {
    const source = new SlowSource(Number.POSITIVE_INFINITY, { version: 1 });
    const startedAt = performance.now();
    const { kind } = await new Subscribers('busy', source).read();
    assert.equal(kind, 'unknown');
    assert.ok(performance.now() - startedAt < 2 * READING_MS_MAX);
  });

  test('... nor for ever', async () => {
    const source = new SlowSource(Number.POSITIVE_INFINITY);
    assert.equal((await new Subscribers('busy', source).read()).kind, 'unknown');
  });
});
