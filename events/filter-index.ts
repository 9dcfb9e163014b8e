// Many filters, and those of them that an event matches.
//
// A filter is kept by values that it needs, such as `data.order.id == 'A1'`, for each of
// its alternatives. An event looks its own values up, so it meets only filters that may well
// match it, and their number does not grow with the number of filters. What it meets is always
// evaluated in full: the index may find too much and must never find too little.

import type { Event } from './event.ts';
import { Steps } from './filter-budget.ts';
import { toFilterInput } from './filter.ts';
import type { FilterInput } from './filter.ts';
import { shapeFilter } from './filter-shapes.ts';
import type { Shape, ShapedFilter } from './filter-shapes.ts';
import { Shelves } from './filter-shelves.ts';
import type { Choice } from './filter-shelves.ts';
import type { Literal } from './filter-literals.ts';
import { isServed } from './filter-terms.ts';

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

/** All entries with one filter text: it is evaluated once for them. */
class Group<T> implements ShapedFilter {
  // What every event that meets it reads stands first: it is in nobody's cache.
  readonly shape: Shape;
  readonly literals: readonly Literal[];
  /** The last event that met it: one that it has several values for meets it once. */
  met = 0;
  /** Most are of one entry, and a set for each would be a good part of the index. */
  entries: Entry<T> | Set<Entry<T>> | undefined;
  readonly text: string;
  /** How it is kept, for each alternative. A filter that is not is evaluated for every event. */
  choices: Choice | readonly Choice[] | undefined;

  constructor({ text, shape, literals }: ShapedFilter) {
    this.text = text;
    this.shape = shape;
    this.literals = literals;
  }

  add(entry: Entry<T>): void {
    if (this.entries instanceof Set) this.entries.add(entry);
    else this.entries = this.entries === undefined ? entry : new Set([this.entries, entry]);
  }

  /** @returns whether it has any left */
  delete(entry: Entry<T>): boolean {
    if (this.entries instanceof Set) this.entries.delete(entry);
    else if (this.entries === entry) this.entries = undefined;
    return this.entries instanceof Set ? this.entries.size > 0 : this.entries !== undefined;
  }

  each(visitor: (entry: Entry<T>) => void): void {
    if (this.entries instanceof Set) this.entries.forEach(visitor);
    else if (this.entries !== undefined) visitor(this.entries);
  }
}

/** Finds the filters that an event matches, at a cost that does not grow with their number. */
export class FilterIndex<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #groups = new Map<string, Group<T>>();
  readonly #shelves = new Shelves<Group<T>>();
  readonly #unfiled = new Set<Group<T>>();
  #added = 0;
  #events = 0;

  get size(): number {
    return this.#entries.size;
  }

  /**
   * Adds a filter under a key. One that already had the key is replaced, and loses its place.
   *
   * @throws FilterError; the index is then as it was
   */
  add(key: string, filterText: string, value: T): void {
    const filter = this.#groups.get(filterText) ?? shapeFilter(filterText);
    this.remove(key);
    const group = this.#groups.get(filterText) ?? this.#file(filter);
    const entry = { order: this.#added++, value, group };
    group.add(entry);
    this.#entries.set(key, entry);
  }

  /** @returns whether there was such a key */
  remove(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#entries.delete(key);
    if (!entry.group.delete(entry)) this.#discard(entry.group);
    return true;
  }

  /** Everything that was added, in that order. */
  *values(): Iterable<T> {
    for (const { value } of this.#entries.values()) yield value;
  }

  match(event: Event): Match<T> {
    const input = toFilterInput(event);
    const steps = new Steps();
    const matched: Array<Entry<T>> = [];
    const failed: Array<{ entry: Entry<T>; error: string }> = [];
    for (const group of this.#candidates(input)) {
      const { matched: isMatch, error } = group.shape.evaluate(group, input, steps);
      if (isMatch) group.each((entry) => matched.push(entry));
      if (error !== undefined) group.each((entry) => failed.push({ entry, error }));
    }
    matched.sort((one, other) => one.order - other.order);
    failed.sort((one, other) => one.entry.order - other.entry.order);
    return {
      matched: matched.map(({ value }) => value),
      failed: failed.map(({ entry, error }) => ({ value: entry.value, error })),
    };
  }

  #candidates(input: FilterInput): ReadonlyArray<Group<T>> {
    const met = ++this.#events;
    const candidates = [...this.#unfiled];
    this.#shelves.visit(input, (group) => {
      if (group.met === met) return;
      group.met = met;
      candidates.push(group);
    });
    return candidates;
  }

  #file(filter: ShapedFilter): Group<T> {
    const group = new Group<T>(filter);
    this.#groups.set(group.text, group);
    const { alternatives } = group.shape;
    if (!isServed(alternatives)) {
      this.#unfiled.add(group);
      return group;
    }
    const choices = alternatives.map((terms) => this.#shelves.file(group, terms, group.literals));
    group.choices = choices.length === 1 ? choices[0] : choices;
    return group;
  }

  #discard(group: Group<T>): void {
    const { shape, literals, choices } = group;
    this.#groups.delete(group.text);
    if (this.#unfiled.delete(group)) return;
    for (const [place, terms] of shape.alternatives.entries()) {
      const choice = typeof choices === 'object' ? choices[place] : choices;
      if (choice !== undefined) this.#shelves.remove(group, [terms, literals, choice]);
    }
  }
}
