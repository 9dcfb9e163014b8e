// A source that has segments holds the same as one that has all in memory, whatever happens to
// them and whenever somebody reads.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { Merge } from '../activities/merge.ts';
import { SubscriptionCopy } from '../dispatch/subscription-copy.ts';
import { itemsOf, tallyLayer } from '../events/layer.ts';
import type { Layer } from '../events/operation.ts';
import { receivesFrom, type Subscription } from '../events/subscription.ts';
import type { Changes, SegmentReference } from '../workflows/messages.ts';
import type { Merging } from '../workflows/source-records.ts';
import { Source } from '../workflows/source-state.ts';

const run = { firstRunId: 'first', runId: 'run' };
const RUNS = 1_000;

/** So that something moves after a few subscriptions. */
const HOT_BYTES_MAX = 1_200;
const BOUNDS = { hotBytesMax: HOT_BYTES_MAX, segmentBytes: HOT_BYTES_MAX };

type Step =
  | { readonly kind: 'register'; readonly ids: readonly string[]; readonly again: boolean }
  | { readonly kind: 'unregister'; readonly ids: readonly string[]; readonly upTo?: number }
  | {
      readonly kind: 'suspend';
      readonly ids: readonly string[];
      readonly upTo?: number;
      readonly run?: string;
      readonly undeliverable: number;
    }
  | { readonly kind: 'begin' }
  | { readonly kind: 'merge'; readonly from: number; readonly count: number }
  | { readonly kind: 'end' }
  | { readonly kind: 'next run' }
  | { readonly kind: 'read'; readonly reader: number };

const ids = fc.uniqueArray(
  fc.integer({ min: 0, max: 12 }).map((number) => `id-${number}`),
  { minLength: 1, maxLength: 4 },
);

/** How many readings ago the version of a condition was. */
const upTo = fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined });
const byRun = fc.option(fc.constantFrom('run-0', 'run-1'), { nil: undefined });

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('register'), ids, again: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('unregister'), ids, upTo }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('suspend'),
      ids,
      upTo,
      run: byRun,
      undeliverable: fc.nat(2),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('begin') }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('merge'),
      from: fc.nat(3),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('end') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('next run') }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('read'), reader: fc.nat(2) }) },
) as fc.Arbitrary<Step>;

describe('a source with segments', () => {
  test('holds the same as one without, for readers of whatever version', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }), (steps) => {
        const pair = new Pair();
        for (const one of steps) pair.take(one);
        for (const reader of [0, 1, 2]) pair.read(reader);
        pair.readAnew();
      }),
      { numRuns: RUNS },
    );
  });
});

/** Segments, beside the source that they are of. */
class Store {
  source = new Source(undefined);
  readonly #layers = new Map<string, Layer>();
  #work: (() => void) | undefined;

  /** What the workflow begins of itself; what its activity does is done at the end. */
  begin(): void {
    if (this.#work || !this.source.layers.isToStore(BOUNDS)) return;
    const number = this.source.layers.cold.made;
    const merging = this.source.layers.cold.toMerge(HOT_BYTES_MAX);
    if (!this.source.layers.cold.merging && this.source.layers.isToMove(HOT_BYTES_MAX)) {
      const layer = this.source.layers.beginMove(BOUNDS);
      this.#work = () => this.source.layers.cold.moved(this.#write(number, layer));
    } else if (merging) {
      this.#beginMerge(merging);
    }
  }

  /** Whatever the workflow itself would merge. */
  merge({ from, count }: Merging): void {
    if (this.#work || this.source.layers.cold.moving || this.source.layers.cold.merging) return;
    const merging = {
      from,
      count: Math.min(count, this.source.layers.cold.segments.length - from),
    };
    if (merging.count > 0) this.#beginMerge(merging);
  }

  #beginMerge(merging: Merging): void {
    const number = this.source.layers.cold.made;
    const layers = this.source.layers.cold
      .beginMerge(merging)
      .map((segment) => this.layerOf(segment));
    this.#work = () => {
      const merge = new Merge();
      for (const layer of layers) merge.collect(layer);
      const parts = [
        ...layers.map((layer) => merge.apply(layer)),
        ...merge.rest(merging.from === 0),
      ];
      const layer = {
        subscriptions: parts.flatMap(({ subscriptions }) => subscriptions),
        operations: parts.flatMap(({ operations }) => operations),
      };
      const isEmpty = layer.subscriptions.length + layer.operations.length === 0;
      const segments = isEmpty ? [] : [this.#write(number, layer)];
      this.source.merged({ segments, removedUpTo: merge.removedUpTo }, 0);
    };
  }

  end(): void {
    this.#work?.();
    this.#work = undefined;
  }

  /** What was not heard of is begun again. */
  continueAsNew(): void {
    this.#work = undefined;
    this.source = nextRunOf(this.source);
  }

  layerOf({ name }: SegmentReference): Layer {
    return this.#layers.get(name) ?? assert.fail(`no segment ${name}`);
  }

  #write(number: number, layer: Layer): SegmentReference {
    const name = String(number);
    this.#layers.set(name, structuredClone(layer));
    const versions = [...itemsOf(layer)].map(({ version }) => version);
    return {
      ...tallyLayer(layer),
      name,
      runId: '',
      minVersion: Math.min(...versions),
      maxVersion: Math.max(...versions),
    };
  }
}

/** Who keeps up with a source, now and then. */
class Reader {
  copy = new SubscriptionCopy();
  version = 0;
  firstRunId = '';
  readonly #store: Pick<Store, 'source' | 'layerOf'>;

  constructor(store: Pick<Store, 'source' | 'layerOf'>) {
    this.#store = store;
  }

  read(): readonly Subscription[] {
    const { source } = this.#store;
    const asked = {
      firstRunId: this.firstRunId,
      since: this.version,
      readsSegments: true,
    } as const;
    const changes: Changes = source.changes(asked, run);
    if (changes.snapshot) {
      this.copy = new SubscriptionCopy();
      this.version = 0;
    }
    const versions = { after: this.version, upTo: changes.version };
    for (const segment of changes.segments ?? []) {
      this.copy.applyLayer(this.#store.layerOf(segment), versions);
    }
    this.copy.applyChanges(changes, versions);
    this.version = changes.version;
    this.firstRunId = changes.firstRunId;
    return [...this.copy.subscriptions];
  }
}

/** The same, done to a source with segments and to one without. */
class Pair {
  readonly #segmented = new Store();
  readonly #plain = { source: new Source(undefined), layerOf: () => assert.fail('no segments') };
  readonly #readers = [0, 1, 2].map(() => ({
    segmented: new Reader(this.#segmented),
    plain: new Reader(this.#plain),
  }));
  /** Of the same moment, for both. */
  readonly #versions: Array<readonly [segmented: number, plain: number]> = [[0, 0]];
  readonly #doubtful = new Set<string>();
  #now = 0;

  take(taken: Step): void {
    this.#now += 1;
    switch (taken.kind) {
      case 'register': {
        // While its removal is in doubt for the one with segments, the other one knows.
        const given = taken.ids.filter((id) => taken.again || !this.#doubtful.has(id));
        if (taken.again) for (const id of given) this.#doubtful.delete(id);
        const registrations = given.map((id) => this.#registrationOf(id));
        const request = { registrations, ...(taken.again && { again: true as const }) };
        for (const source of this.#both()) source.register(request, this.#now);
        break;
      }
      case 'unregister':
        if (taken.upTo !== undefined) for (const id of taken.ids) this.#doubtful.add(id);
        for (const [source, condition] of this.#conditions(taken.upTo)) {
          source.unregister({ ids: taken.ids, ...condition });
        }
        break;
      case 'suspend':
        for (const [source, condition] of this.#conditions(taken.upTo)) {
          const { undeliverable, run: byWhom } = taken;
          source.suspend({
            ids: taken.ids,
            undeliverable,
            ...(byWhom && { run: byWhom }),
            ...condition,
          });
        }
        break;
      case 'begin':
        this.#segmented.begin();
        break;
      case 'merge':
        this.#segmented.merge(taken);
        break;
      case 'end':
        this.#segmented.end();
        break;
      case 'next run':
        this.#segmented.continueAsNew();
        break;
      case 'read':
        this.read(taken.reader);
        break;
    }
    this.#versions.push([this.#segmented.source.version, this.#plain.source.version]);
  }

  read(reader: number): void {
    const { segmented, plain } = this.#readers[reader]!;
    assert.deepEqual(comparable(segmented.read()), comparable(plain.read()));
  }

  readAnew(): void {
    const segmented = new Reader(this.#segmented).read();
    const plain = new Reader(this.#plain).read();
    assert.deepEqual(comparable(segmented), comparable(plain));
    for (const versionOf of [placeOf, receivesFrom]) {
      assert.deepEqual(orderOf(segmented, versionOf), orderOf(plain, versionOf));
    }
  }

  #both(): readonly Source[] {
    return [this.#segmented.source, this.#plain.source];
  }

  #conditions(ago: number | undefined): Array<readonly [Source, { upTo?: number }]> {
    const versions = ago === undefined ? undefined : this.#versions.at(-1 - ago);
    return this.#both().map((source, index) => {
      const bound = versions?.[index];
      return [source, bound === undefined ? {} : { upTo: bound }];
    });
  }

  #registrationOf(id: string) {
    const filter = `data.id == '${id}'`;
    return { id, filter, workflowId: id, firstRunId: 'run', run: `run-${this.#now % 2}` };
  }
}

/** Versions differ: where it is not known whether a change is one, it is counted as one. */
function comparable(subscriptions: readonly Subscription[]) {
  return subscriptions
    .map((subscription) => ({
      ...subscription,
      seq: 0,
      changed: 0,
      resumed: subscription.resumed !== undefined,
    }))
    .toSorted((one, other) => one.id.localeCompare(other.id));
}

function placeOf({ seq }: Subscription): number {
  return seq;
}

function orderOf(
  subscriptions: readonly Subscription[],
  versionOf: (subscription: Subscription) => number,
): readonly string[] {
  return subscriptions
    .toSorted((one, other) => versionOf(one) - versionOf(other))
    .map(({ id }) => id);
}

function nextRunOf(source: Source): Source {
  return new Source(JSON.parse(JSON.stringify(source.toState())));
}
