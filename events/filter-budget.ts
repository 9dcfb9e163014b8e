// What one evaluation may cost. Counted in steps rather than in time, so that a
// filter gives the same answer for the same event on every machine.

/** Most steps that one evaluation takes. A step is roughly one element looked at. */
export const FILTER_STEPS_MAX = 500_000;

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

  /** Pays for looking at each element of a list, or each key of a map. */
  spendOnElements<T>(collection: T): T {
    if (typeof collection !== 'object' || collection === null) return collection;
    if (Array.isArray(collection)) this.spend(collection.length);
    else if (collection instanceof Map) this.spend(collection.size);
    else this.spend(Object.keys(collection).length);
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
