// Prints what a subscription takes in memory: itself, its place in the index, and its share of
// the programs. A process of its own: nothing else comes and goes in its heap.

import assert from 'node:assert/strict';

import { FilterIndex } from '../events/filter-index.ts';
import type { Subscription } from '../events/subscription.ts';
import { BLOCK, UNINDEXED, subscriptionsOf } from './match-mix.ts';

const size = Number(process.argv[2]);
const index = new FilterIndex<Subscription>();
// What is made once, whatever their number, is not theirs.
fill(BLOCK);
const first = [...index.values()];
for (const { id } of first) index.remove(id);
const before = heapBytes();
fill(size);
const bytes = heapBytes() - before;
assert.equal(index.size, size + UNINDEXED.length);
console.log(bytes / index.size);

function fill(count: number): void {
  for (const subscription of subscriptionsOf(count)) {
    index.add(subscription.id, subscription.filter, subscription);
  }
}

function heapBytes(): number {
  assert.ok(globalThis.gc, 'run with --expose-gc');
  for (let times = 0; times < 3; times++) globalThis.gc();
  return process.memoryUsage().heapUsed;
}
