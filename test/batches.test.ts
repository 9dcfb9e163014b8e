import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Batches } from '../dispatch/batches.ts';

interface Sent {
  readonly items: readonly string[];
  readonly at: number;
}

function batchesOf(sent: Sent[], everyMs?: number): Batches<string, number> {
  return new Batches({
    count: (waiting) => Math.min(waiting.length, 2),
    send: async (items) => {
      sent.push({ items, at: performance.now() });
      await new Promise((resolve) => setImmediate(resolve));
      if (items.includes('wrong')) throw new Error('wrong');
      return sent.length;
    },
    ...(everyMs !== undefined && { everyMs }),
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
    const batches = batchesOf(sent, 50);
    await batches.push('a');
    await Promise.all([batches.push('b'), batches.push('c')]);
    await batches.push('d');
    assert.deepEqual(
      sent.map(({ items }) => items),
      [['a'], ['b', 'c'], ['d']],
    );
    const [first, second, third] = sent.map(({ at }) => at);
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    // A timer may end early by a fraction of a millisecond.
    assert.ok(second - first >= 49 && third - second >= 49, `${first} ${second} ${third}`);
  });
});
