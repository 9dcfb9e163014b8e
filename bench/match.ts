// How long it takes to find who wants an event, and what it takes to know: without Temporal
// and without HTTP.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import type { Event } from '../events/event.ts';
import { toFilterInput } from '../events/filter.ts';
import { Steps } from '../events/filter-budget.ts';
import { FilterIndex } from '../events/filter-index.ts';
import { shapeFilter } from '../events/filter-shapes.ts';
import type { ShapedFilter } from '../events/filter-shapes.ts';
import type { Subscription } from '../events/subscription.ts';
import { BLOCK, MATCHES, eventOf, subscriptionsOf } from './match-mix.ts';
import { round, summarise } from './statistics.ts';

const SIZES = [10, 1_000, 100_000, 300_000] as const;

/** Events of each size, for blocks that are spread evenly. */
const EVENTS = 200;

/** How often all events are matched. The sizes take turns, so that noise is for all of them. */
const ROUNDS = 200;
const WARMUP_ROUNDS = 20;

/** One evaluation of every filter, as often as so many evaluations allow. */
const BRUTE_EVALUATIONS = 1_000_000;

interface Subject {
  readonly size: number;
  readonly index: FilterIndex<Subscription>;
  readonly filters: readonly ShapedFilter[];
  readonly events: readonly Event[];
  /** Time to add one subscription to the index. */
  readonly addUs: number;
  /** Time to match one event, of each round. */
  readonly roundsUs: number[];
}

interface Row {
  readonly size: number;
  readonly matchUs: number;
  /** The round that was disturbed least by what else the machine does. */
  readonly bestUs: number;
  readonly bruteUs: number;
  readonly addUs: number;
  readonly bytes: number;
}

export async function match(): Promise<void> {
  const subjects = SIZES.map(createSubject);
  for (let turn = 0; turn < WARMUP_ROUNDS + ROUNDS; turn++) {
    // Nobody is always the first, or always after the largest.
    for (const place of SIZES.keys()) {
      const subject = subjects[(place + turn) % subjects.length];
      if (subject === undefined) continue;
      const us = matchAll(subject);
      if (turn >= WARMUP_ROUNDS) subject.roundsUs.push(us);
    }
  }
  const rows: Row[] = [];
  for (const subject of subjects) {
    const { size, roundsUs, addUs } = subject;
    // Of ten, the heap's own noise is more than they are.
    const bytes = size < 1_000 ? Number.NaN : await measureBytes(size);
    const matchUs = summarise(roundsUs).p50;
    const bestUs = Math.min(...roundsUs);
    rows.push({ size, matchUs, bestUs, bruteUs: bruteForce(subject), addUs, bytes });
  }
  print(rows);
}

function createSubject(size: number): Subject {
  const subscriptions = subscriptionsOf(size);
  const index = new FilterIndex<Subscription>();
  const began = performance.now();
  for (const subscription of subscriptions) add(index, subscription);
  const addUs = ((performance.now() - began) / subscriptions.length) * 1_000;
  const filters = subscriptions.map(({ filter }) => shapeFilter(filter));
  const blocks = size / BLOCK;
  const events = Array.from({ length: EVENTS }, (_, n) =>
    eventOf(Math.floor((n * blocks) / EVENTS)),
  );
  return { size, index, filters, events, addUs, roundsUs: [] };
}

function add(index: FilterIndex<Subscription>, subscription: Subscription): void {
  index.add(subscription.id, subscription.filter, subscription);
}

function matchAll({ index, events }: Subject): number {
  const began = performance.now();
  let matches = 0;
  for (const event of events) matches += index.match(event).matched.length;
  const us = ((performance.now() - began) / events.length) * 1_000;
  assert.equal(matches, events.length * MATCHES);
  return us;
}

/** What it would take to evaluate every filter. */
function bruteForce({ filters, events }: Subject): number {
  const count = Math.ceil(Math.min(events.length, BRUTE_EVALUATIONS / filters.length));
  const began = performance.now();
  for (const event of events.slice(0, count)) {
    const input = toFilterInput(event);
    const steps = new Steps();
    let matches = 0;
    for (const filter of filters) {
      if (filter.shape.evaluate(filter, input, steps).matched) matches++;
    }
    assert.equal(matches, MATCHES);
  }
  return ((performance.now() - began) / count) * 1_000;
}

/** In a process of its own, where nothing else comes and goes. */
async function measureBytes(size: number): Promise<number> {
  const program = fileURLToPath(new URL('match-memory.ts', import.meta.url));
  const args = [...process.execArgv, '--expose-gc', program, String(size)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return Number(stdout);
}

function print(rows: readonly Row[]): void {
  console.table(
    Object.fromEntries(
      rows.map(({ size, matchUs, bestUs, bruteUs, addUs, bytes }) => [
        size,
        {
          'match, us per event': round(matchUs),
          'best round': round(bestUs),
          'brute force, us per event': round(bruteUs),
          'add, us per subscription': round(addUs),
          'bytes per subscription': Math.round(bytes),
        },
      ]),
    ),
  );
  const rowOf = (size: number): Row | undefined => rows.find((row) => row.size === size);
  const many = rowOf(100_000);
  console.log(
    JSON.stringify({
      bench: 'match',
      ratio_100k_to_10: round((many?.matchUs ?? Number.NaN) / (rowOf(10)?.matchUs ?? Number.NaN)),
      us_per_event_100k: round(many?.matchUs ?? Number.NaN),
      bytes_per_subscription: Math.round(many?.bytes ?? Number.NaN),
    }),
  );
}
