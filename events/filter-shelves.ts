// Where the index keeps filters, and how an event finds them: a tree of the paths that
// filters read, and at the end of each path shelves of filters by the value they need there.
// An event goes down those paths that it has, so paths of others cost it nothing.

import type { FilterInput } from './filter-input.ts';
import type { Literal } from './filter-literals.ts';
import { lookUp, step, toScalar, valuesOf } from './filter-terms.ts';
import type { Alternative, Path, Scalar, Term } from './filter-terms.ts';

/**
 * A bucket with so many filters is crowded: those that come later are kept by all the values that
 * they need together. Paying for that key earlier would cost memory and save nothing.
 */
const CROWDED = 8;

/** Most keys that a filter with lists of values has on a shelf of several paths. */
const COMPOSED_KEYS_MAX = 16;

/** Longest prefix that is looked up. What follows is left to the evaluation. */
const PREFIX_LENGTH_MAX = 64;

/** From so many paths on, an event's keys are gone through instead of the paths. */
const WIDE = 32;

/** How an alternative is kept: by the term of this number, or by all its values together. */
export type Choice = number;
const COMPOSED: Choice = -1;

/** Most are alone in theirs, and a set for each would be most of the index. */
type Bucket<F> = F | Set<F>;

interface Shelf<F> {
  readonly kind: Term['kind'];
  /** The further paths whose values are in the keys. */
  readonly others: readonly Path[];
  readonly buckets: Map<Scalar, Bucket<F>>;
  /** For prefixes: how many keys have each length. */
  readonly lengths: Map<number, number>;
}

/** A variable, or a key of one, with the paths that go on from it. */
interface Place<F> {
  readonly children: Map<string, Place<F>>;
  readonly shelves: Map<string, Shelf<F>>;
}

/** One shelf and the keys of a filter on it. */
interface Filing {
  readonly path: Path;
  readonly kind: Term['kind'];
  readonly others: readonly Path[];
  readonly keys: readonly Scalar[];
}

/** Filters by the values that they need. `F` must be an object, and no `Set`. */
export class Shelves<F extends object> {
  readonly #root: Place<F> = createPlace();

  /** Keeps a filter by one of its alternatives, which must have a term. */
  file(filter: F, alternative: Alternative, literals: readonly Literal[]): Choice {
    const choice = this.#choose(alternative, literals);
    const { path, kind, others, keys } = toFiling(alternative, literals, choice);
    let place = this.#root;
    for (const segment of path) place = childOf(place, segment);
    const name = nameOf(kind, others);
    const known = place.shelves.get(name);
    const shelf = known ?? { kind, others, buckets: new Map(), lengths: new Map() };
    if (known === undefined) place.shelves.set(name, shelf);
    for (const key of keys) addTo(shelf, key, filter);
    return choice;
  }

  /** Takes a filter away again, from where `file` said that it put it. */
  remove(filter: F, filed: readonly [Alternative, readonly Literal[], Choice]): void {
    const { path, kind, others, keys } = toFiling(...filed);
    const way: Array<readonly [Place<F>, string]> = [];
    let place = this.#root;
    for (const segment of path) {
      way.push([place, segment]);
      place = childOf(place, segment);
    }
    const name = nameOf(kind, others);
    const shelf = place.shelves.get(name);
    if (shelf !== undefined) {
      for (const key of keys) removeFrom(shelf, key, filter);
      if (shelf.buckets.size === 0) place.shelves.delete(name);
    }
    for (const [parent, segment] of way.toReversed()) {
      if (place.children.size > 0 || place.shelves.size > 0) return;
      parent.children.delete(segment);
      place = parent;
    }
  }

  /** Visits the filters that an event may match. One may come more than once. */
  visit(input: FilterInput, visitor: (filter: F) => void): void {
    for (const [variable, place] of this.#root.children) {
      visitPlace(place, input[variable], { input, visitor });
    }
  }

  /** By the term whose fullest bucket is emptiest: an event meets the fewest filters there. */
  #choose(alternative: Alternative, literals: readonly Literal[]): Choice {
    let best = { choice: 0, rank: [Infinity] as readonly number[] };
    for (const [choice, term] of alternative.entries()) {
      const rank = this.#rank(term, literals);
      if (isLess(rank, best.rank)) best = { choice, rank };
    }
    const isCrowded = (best.rank[0] ?? 0) >= CROWDED;
    return isCrowded && composedOf(alternative).length > 1 ? COMPOSED : best.choice;
  }

  #rank({ path, kind, operands }: Term, literals: readonly Literal[]): readonly number[] {
    let place: Place<F> | undefined = this.#root;
    for (const segment of path) place = place?.children.get(segment);
    const buckets = place?.shelves.get(nameOf(kind, []))?.buckets;
    let fullest = 0;
    if (buckets !== undefined) {
      for (const key of keysOf({ path, kind, operands }, literals)) {
        fullest = Math.max(fullest, sizeOf(buckets.get(key)));
      }
    }
    // Among equals: a value of the data tells events apart better than their type does.
    return [fullest, kind === 'equal' ? 0 : 1, path[0] === 'data' ? 0 : 1, operands.length];
  }
}

interface Visit<F> {
  readonly input: FilterInput;
  readonly visitor: (filter: F) => void;
}

function visitPlace<F extends object>(place: Place<F>, value: unknown, visit: Visit<F>): void {
  if (value === undefined) return;
  if (place.shelves.size > 0) {
    const scalar = toScalar(value);
    if (scalar !== undefined) {
      for (const shelf of place.shelves.values()) visitShelf(shelf, scalar, visit);
    }
  }
  for (const segment of segmentsOf(place, value)) {
    const child = place.children.get(segment);
    if (child !== undefined) visitPlace(child, step(value, segment), visit);
  }
}

function segmentsOf<F>({ children }: Place<F>, value: unknown): Iterable<string> {
  if (children.size < WIDE || typeof value !== 'object' || value === null) return children.keys();
  if (value instanceof Map || (Array.isArray(value) && value.length >= children.size)) {
    return children.keys();
  }
  const names = Object.getOwnPropertyNames(value);
  return names.length < children.size ? names : children.keys();
}

function visitShelf<F extends object>(shelf: Shelf<F>, value: Scalar, visit: Visit<F>): void {
  const { kind, others, buckets, lengths } = shelf;
  if (kind === 'prefix') {
    if (typeof value !== 'string') return;
    for (const length of lengths.keys()) {
      if (length <= value.length) visitBucket(buckets.get(value.slice(0, length)), visit.visitor);
    }
    return;
  }
  let key: Scalar | undefined = value;
  for (const path of others) {
    const further = lookUp(visit.input, path);
    if (further === undefined) return;
    key = compose(key, further);
  }
  visitBucket(buckets.get(key), visit.visitor);
}

function visitBucket<F extends object>(
  bucket: Bucket<F> | undefined,
  visitor: (filter: F) => void,
): void {
  if (bucket instanceof Set) bucket.forEach(visitor);
  else if (bucket !== undefined) visitor(bucket);
}

function toFiling(alternative: Alternative, literals: readonly Literal[], choice: Choice): Filing {
  const terms =
    choice === COMPOSED ? composedOf(alternative) : alternative.slice(choice, choice + 1);
  const [first, ...others] = terms;
  if (first === undefined) throw new RangeError('an alternative without a term cannot be filed');
  let keys = keysOf(first, literals);
  for (const other of others) {
    const values = keysOf(other, literals);
    keys = keys.flatMap((key) => values.map((value) => compose(key, value)));
  }
  return { path: first.path, kind: first.kind, others: others.map(({ path }) => path), keys };
}

/** The terms whose values make a key together. */
function composedOf(alternative: Alternative): readonly Term[] {
  const composed: Term[] = [];
  let keys = 1;
  for (const term of alternative) {
    if (term.kind !== 'equal' || keys * term.operands.length > COMPOSED_KEYS_MAX) continue;
    keys *= term.operands.length;
    composed.push(term);
  }
  return composed;
}

function keysOf(term: Term, literals: readonly Literal[]): readonly Scalar[] {
  const values = valuesOf(term, literals);
  if (term.kind === 'equal') return values;
  return values.map((prefix) => String(prefix).slice(0, PREFIX_LENGTH_MAX));
}

/** Filters that get the same key though their values differ are told apart by the evaluation. */
function compose(one: Scalar, other: Scalar): string {
  return `${one}\0${other}`;
}

function addTo<F extends object>(shelf: Shelf<F>, key: Scalar, filter: F): void {
  const { buckets } = shelf;
  const bucket = buckets.get(key);
  if (bucket instanceof Set) bucket.add(filter);
  else if (bucket === undefined) {
    buckets.set(key, filter);
    countLength(shelf, key, 1);
  } else if (bucket !== filter) buckets.set(key, new Set([bucket, filter]));
}

function removeFrom<F extends object>(shelf: Shelf<F>, key: Scalar, filter: F): void {
  const { buckets } = shelf;
  const bucket = buckets.get(key);
  if (bucket instanceof Set) bucket.delete(filter);
  const isEmpty = bucket instanceof Set ? bucket.size === 0 : bucket === filter;
  if (!isEmpty) return;
  buckets.delete(key);
  countLength(shelf, key, -1);
}

function countLength<F>({ kind, lengths }: Shelf<F>, key: Scalar, change: number): void {
  if (kind !== 'prefix' || typeof key !== 'string') return;
  const count = (lengths.get(key.length) ?? 0) + change;
  if (count === 0) lengths.delete(key.length);
  else lengths.set(key.length, count);
}

function sizeOf(bucket: object | undefined): number {
  if (bucket === undefined) return 0;
  return bucket instanceof Set ? bucket.size : 1;
}

function createPlace<F>(): Place<F> {
  return { children: new Map(), shelves: new Map() };
}

function childOf<F>({ children }: Place<F>, segment: string): Place<F> {
  const known = children.get(segment);
  if (known !== undefined) return known;
  const child = createPlace<F>();
  children.set(segment, child);
  return child;
}

function nameOf(kind: Term['kind'], others: readonly Path[]): string {
  return others.length === 0 ? kind : JSON.stringify(others);
}

function isLess(one: readonly number[], other: readonly number[]): boolean {
  for (const [place, number] of one.entries()) {
    const difference = number - (other[place] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
