// What one evaluation may cost. Counted in steps rather than in time, so that a
// filter gives the same answer for the same event on every machine.

/**
 * Most steps that one evaluation takes. A step is one name, literal or operator
 * evaluated for one element of a list: less than a microsecond, even where it fails.
 */
export const FILTER_STEPS_MAX = 60_000;

/**
 * Most steps of all evaluations on one event, beside what each may take in any case. It bounds
 * for how long an event can keep the process from everything else.
 */
export const EVENT_STEPS_MAX = 60_000;

/** Steps that an evaluation may take whatever others have taken. */
export const STEPS_IN_ANY_CASE = 200;

/** Characters, or bytes, that are compared or searched in one step. */
const CHARACTERS_PER_STEP = 64;

/** Characters, or bytes, that are counted in one step: what a user takes for one may be several. */
const CHARACTERS_COUNTED_PER_STEP = 16;

/** An evaluation that would cost too much was given up. */
export class BudgetError extends Error {
  override readonly name = 'BudgetError';
}

/** The steps that evaluations on one event have in common. Who comes first is served first. */
export class Steps {
  #left = EVENT_STEPS_MAX;

  /** What the next evaluation may take. */
  get allowance(): number {
    return Math.min(FILTER_STEPS_MAX, Math.max(STEPS_IN_ANY_CASE, this.#left));
  }

  take(steps: number): void {
    this.#left -= steps;
  }
}

/** The steps that the evaluation under way may still take. */
export class Budget {
  #allowance = FILTER_STEPS_MAX;
  #left = FILTER_STEPS_MAX;
  /** Sizes of lists and maps already measured: events do not change. */
  #weights = new WeakMap<object, number>();

  refill(allowance = FILTER_STEPS_MAX): void {
    this.#allowance = allowance;
    this.#left = allowance;
  }

  /** What was taken since it was refilled. */
  get spent(): number {
    return this.#allowance - Math.max(0, this.#left);
  }

  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left >= 0) return;
    const others = `, of ${EVENT_STEPS_MAX} for all filters of an event`;
    const isLess = this.#allowance < FILTER_STEPS_MAX;
    throw new BudgetError(`more than ${this.#allowance} steps${isLess ? others : ''}`);
  }

  /** Pays for evaluating this many names for each element of a list, or each key of a map. */
  spendOnElements<T>(collection: T, names: number): T {
    if (typeof collection !== 'object' || collection === null) return collection;
    if (Array.isArray(collection)) this.spend(collection.length * names);
    else if (collection instanceof Map) this.spend(collection.size * names);
    else this.spend(Object.keys(collection).length * names);
    return collection;
  }

  /** Pays for counting the characters of a text, where the value is one. */
  spendOnText<T>(value: T): T {
    if (typeof value === 'string' || value instanceof Uint8Array) {
      this.spend(Math.ceil(value.length / CHARACTERS_COUNTED_PER_STEP));
    }
    return value;
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
