// Many filters, and those of them that an event matches.
//
// A filter is filed under one equality that it needs, such as `data.order.id == 'A1'`.
// An event looks its own values up, so it meets only filters that may well match it,
// and their number does not grow with the number of filters. What it meets is always
// evaluated in full: the index may find too much and must never find too little.

import type { Event } from './event.ts';
import { compileFilter, toFilterInput } from './filter.ts';
import type { Filter, FilterInput } from './filter.ts';
import { lookUp, termsOf } from './filter-terms.ts';
import type { Path, Scalar, Term } from './filter-terms.ts';

/** The values whose filters an event matched. */
export interface Match<T> {
  /** In the order in which they were added. */
  readonly matched: readonly T[];
  /** Those whose filter could not be evaluated on this event, and why. */
  readonly failed: ReadonlyArray<{ readonly value: T; readonly error: string }>;
}

/** One key of the index. */
interface Entry<T> {
  readonly order: number;
  readonly value: T;
  readonly group: Group<T>;
}

/** All entries with one filter text: it is compiled and evaluated once for them. */
interface Group<T> {
  readonly filter: Filter;
  readonly entries: Set<Entry<T>>;
  /** The equality it is filed under. A filter without one is evaluated for every event. */
  readonly term: Term | undefined;
}

/** The groups that need a certain value at a path. */
interface Shelf<T> {
  readonly path: Path;
  readonly buckets: Map<Scalar, Set<Group<T>>>;
}

/** Finds the filters that an event matches, at a cost that does not grow with their number. */
export class FilterIndex<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #groups = new Map<string, Group<T>>();
  readonly #shelves = new Map<string, Shelf<T>>();
  readonly #unfiled = new Set<Group<T>>();
  #added = 0;

  get size(): number {
    return this.#entries.size;
  }

  /**
   * Adds a filter under a key. One that already had the key is replaced, and loses its place.
   *
   * @throws FilterError; the index is then as it was
   */
  add(key: string, filterText: string, value: T): void {
    const filter = this.#groups.get(filterText)?.filter ?? compileFilter(filterText);
    this.remove(key);
    const group = this.#groups.get(filterText) ?? this.#file(filter);
    const entry = { order: this.#added++, value, group };
    group.entries.add(entry);
    this.#entries.set(key, entry);
  }

  /** @returns whether there was such a key */
  remove(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#entries.delete(key);
    entry.group.entries.delete(entry);
    if (entry.group.entries.size === 0) this.#discard(entry.group);
    return true;
  }

  /** Everything that was added, in that order. */
  *values(): Iterable<T> {
    for (const { value } of this.#entries.values()) yield value;
  }

  match(event: Event): Match<T> {
    const input = toFilterInput(event);
    const matched: Array<Entry<T>> = [];
    const failed: Array<{ entry: Entry<T>; error: string }> = [];
    for (const { filter, entries } of this.#candidates(input)) {
      const { matched: isMatch, error } = filter.evaluate(input);
      if (isMatch) for (const entry of entries) matched.push(entry);
      if (error !== undefined) for (const entry of entries) failed.push({ entry, error });
    }
    matched.sort((one, other) => one.order - other.order);
    failed.sort((one, other) => one.entry.order - other.entry.order);
    return {
      matched: matched.map(({ value }) => value),
      failed: failed.map(({ entry, error }) => ({ value: entry.value, error })),
    };
  }

  /** A group is on one shelf, and an event has one value for it: none comes twice. */
  *#candidates(input: FilterInput): Iterable<Group<T>> {
    yield* this.#unfiled;
    for (const { path, buckets } of this.#shelves.values()) {
      const value = lookUp(input, path);
      if (value !== undefined) yield* buckets.get(value) ?? [];
    }
  }

  #file(filter: Filter): Group<T> {
    const term = this.#choose(termsOf(filter.expression));
    const group: Group<T> = { filter, entries: new Set(), term };
    this.#groups.set(filter.text, group);
    if (term === undefined) {
      this.#unfiled.add(group);
      return group;
    }
    const shelf = this.#shelfOf(term.path) ?? { path: term.path, buckets: new Map() };
    this.#shelves.set(nameOf(term.path), shelf);
    for (const value of term.values) {
      const bucket = shelf.buckets.get(value) ?? new Set();
      shelf.buckets.set(value, bucket.add(group));
    }
    return group;
  }

  #discard(group: Group<T>): void {
    this.#groups.delete(group.filter.text);
    this.#unfiled.delete(group);
    const shelf = group.term && this.#shelfOf(group.term.path);
    if (group.term === undefined || shelf === undefined) return;
    for (const value of group.term.values) {
      const bucket = shelf.buckets.get(value);
      bucket?.delete(group);
      if (bucket?.size === 0) shelf.buckets.delete(value);
    }
    if (shelf.buckets.size === 0) this.#shelves.delete(nameOf(group.term.path));
  }

  /** The term whose fullest bucket is emptiest: an event meets the fewest filters there. */
  #choose(terms: readonly Term[]): Term | undefined {
    const ranked = terms.map((term) => ({ term, rank: this.#rank(term) }));
    ranked.sort((one, other) => {
      const differing = one.rank.findIndex((rank, place) => rank !== other.rank[place]);
      return (one.rank[differing] ?? 0) - (other.rank[differing] ?? 0);
    });
    return ranked[0]?.term;
  }

  #rank({ path, values }: Term): readonly number[] {
    const buckets = this.#shelfOf(path)?.buckets;
    const fullest = Math.max(0, ...values.map((value) => buckets?.get(value)?.size ?? 0));
    // Among equals: a value of the data tells events apart better than their type does.
    return [fullest, path[0] === 'data' ? 0 : 1, values.length];
  }

  #shelfOf(path: Path): Shelf<T> | undefined {
    return this.#shelves.get(nameOf(path));
  }
}

/** Tells the key `'0'` and the list index `0` apart. */
function nameOf([variable, ...segments]: Path): string {
  const names = segments.map((segment) =>
    typeof segment === 'bigint' ? [String(segment)] : segment,
  );
  return JSON.stringify([variable, ...names]);
}
