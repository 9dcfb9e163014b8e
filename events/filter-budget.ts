// What one evaluation may cost. Counted in steps rather than in time, so that a
// filter gives the same answer for the same event on every machine.

/**
 * Most steps that one evaluation takes. A step is one name, literal or operator
 * evaluated for one element of a list: less than a microsecond, even where it fails.
 */
export const FILTER_STEPS_MAX = 250_000;

/** Characters, or bytes, that are compared or searched in one step. */
const CHARACTERS_PER_STEP = 64;

/** An evaluation that would cost too much was given up. */
export class BudgetError extends Error {
  override readonly name = 'BudgetError';
}

/** The steps that the evaluation under way may still take. */
export class Budget {
  #left = FILTER_STEPS_MAX;
  /** Sizes of lists and maps already measured: events do not change. */
  #weights = new WeakMap<object, number>();

  refill(): void {
    this.#left = FILTER_STEPS_MAX;
  }

  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new BudgetError(`more than ${FILTER_STEPS_MAX} steps`);
  }

  /** Pays for evaluating this many names for each element of a list, or each key of a map. */
  spendOnElements<T>(collection: T, names: number): T {
    if (typeof collection !== 'object' || collection === null) return collection;
    if (Array.isArray(collection)) this.spend(collection.length * names);
    else if (collection instanceof Map) this.spend(collection.size * names);
    else this.spend(Object.keys(collection).length * names);
    return collection;
  }

  /** Pays for reading a value through to its innermost parts. */
  spendOnWhole<T>(value: T): T {
    this.spend(this.#weigh(value));
    return value;
  }

  #weigh(value: unknown): number {
    if (typeof value === 'string') return Math.ceil(value.length / CHARACTERS_PER_STEP);
    if (typeof value !== 'object' || value === null) return 1;
    if (value instanceof Uint8Array) return Math.ceil(value.length / CHARACTERS_PER_STEP);
    const known = this.#weights.get(value);
    if (known !== undefined) return known;
    let weight = 1;
    const elements: Iterable<unknown> =
      Array.isArray(value) || value instanceof Map ? value.values() : Object.values(value);
    for (const element of elements) weight += this.#weigh(element);
    this.#weights.set(value, weight);
    return weight;
  }
}
