import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Batches } from '../dispatch/batches.ts';

interface Sent {
  readonly items: readonly string[];
  readonly at: number;
}

interface Options {
  readonly everyMs?: number;
  readonly whileSending?: (items: readonly string[]) => void;
}

function batchesOf(
  sent: Sent[],
  { whileSending = () => {}, ...options }: Options = {},
): Batches<string, number> {
  return new Batches({
    ...options,
    count: (waiting) => Math.min(waiting.length, 2),
    send: async (items) => {
      sent.push({ items, at: performance.now() });
      whileSending(items);
      await new Promise((resolve) => setImmediate(resolve));
      if (items.includes('wrong')) throw new Error('wrong');
      return sent.length;
    },
  });
}

describe('What is sent in batches', () => {
  test('goes at once if nothing is on its way, and else together, in order', async () => {
    const sent: Sent[] = [];
    const batches = batchesOf(sent);
    const results = await Promise.all(['a', 'b', 'c', 'd'].map((item) => batches.push(item)));
    assert.deepEqual(
      sent.map(({ items }) => items),
      [['a'], ['b', 'c'], ['d']],
    );
    assert.deepEqual(results, [1, 2, 2, 3]);
  });

  test('fails together, and what follows does not', async () => {
    const sent: Sent[] = [];
    const batches = batchesOf(sent);
    const pushed = ['a', 'wrong', 'c', 'd'].map((item) => batches.push(item));
    const settled = await Promise.allSettled(pushed);
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
    );
  });

  test('goes as often as it may, and no more', async () => {
    const sent: Sent[] = [];
    // What comes while one is on its way: however long that takes, it is there before the next.
    const following = new Map([
      ['a', ['b', 'c']],
      ['b', ['d']],
    ]);
    const pushed: Array<Promise<number>> = [];
    const batches: Batches<string, number> = batchesOf(sent, {
      everyMs: 50,
      whileSending: ([item = '']) => {
        for (const next of following.get(item) ?? []) pushed.push(batches.push(next));
      },
    });
    const begunAt = performance.now();
    assert.equal(await batches.push('a'), 1);
    // The last is pushed while the two before it are on their way.
    assert.deepEqual(await Promise.all(pushed), [2, 2]);
    assert.deepEqual(await Promise.all(pushed), [2, 2, 3]);
    assert.deepEqual(
      sent.map(({ items }) => items),
      [['a'], ['b', 'c'], ['d']],
    );
    // From before the first: between a batch and what this test sees of it time can pass, too.
    const [, second, third] = sent.map(({ at }) => at - begunAt);
    assert.ok(second !== undefined && third !== undefined);
    // Each timer may end early by a fraction of a millisecond.
    assert.ok(second >= 49 && third >= 98, `${second} and ${third} ms after the first`);
  });
});
