// Looking for one text in another, and joining texts. The library does both rightly, but what they
// cost is not what their operands are long: a search can take the product of two lengths, and a
// separator comes between all that is joined. So they pay for that as well.

import type { Budget } from './filter-budget.ts';
import { ValueError } from './filter-error.ts';

/** The methods that are replaced by those of this file. */
export const SEARCHES: ReadonlySet<string> = new Set([
  'contains',
  'indexOf',
  'lastIndexOf',
  'split',
  'join',
]);

/** Up to this length V8 skips what can not match, whatever the texts are. */
const SKIPPED_LENGTH_MAX = 250;

/** Characters that are compared, one with another, in one step. */
const COMPARISONS_PER_STEP = 1_024;

/** Characters that are written in one step. */
const WRITTEN_PER_STEP = 64;

type Add = (signature: string, handler: (...values: never[]) => unknown) => void;

/** Adds the methods, by names that begin with `prefix`. */
export function addSearches(add: Add, prefix: string, budget: Budget): void {
  const cost = new Cost(budget);
  addLooking(add, prefix, cost);
  add(`string.${prefix}split(string): list<string>`, cost.split);
  add(
    `string.${prefix}split(string, int): list<string>`,
    (text: string, separator: string, most: bigint) => {
      if (most === 0n) return [];
      const parts = cost.split(text, separator);
      if (most < 0n || parts.length <= most) return parts;
      const whole = parts.slice(0, Number(most) - 1);
      return [...whole, cost.join(parts.slice(whole.length), separator)];
    },
  );
  add(`list<string>.${prefix}join(): string`, (texts: readonly string[]) => cost.join(texts));
  add(`list<string>.${prefix}join(string): string`, cost.join);
}

function addLooking(add: Add, prefix: string, cost: Cost): void {
  add(`string.${prefix}contains(string): bool`, (text: string, sought: string) => {
    cost.look(text, sought);
    return text.includes(sought);
  });
  add(`string.${prefix}indexOf(string): int`, (text: string, sought: string) => {
    cost.look(text, sought);
    return BigInt(text.indexOf(sought));
  });
  add(`string.${prefix}indexOf(string, int): int`, (text: string, sought: string, from: bigint) => {
    if (sought === '') return from;
    const start = toIndex(text, from);
    cost.look(text, sought);
    return BigInt(text.indexOf(sought, start));
  });
  add(`string.${prefix}lastIndexOf(string): int`, (text: string, sought: string) => {
    cost.lookBackwards(text, sought);
    return BigInt(text.lastIndexOf(sought));
  });
  add(
    `string.${prefix}lastIndexOf(string, int): int`,
    (text: string, sought: string, from: bigint) => {
      if (sought === '') return from;
      const start = toIndex(text, from);
      cost.lookBackwards(text, sought);
      return BigInt(text.lastIndexOf(sought, start));
    },
  );
}

/** Pays for what it does. */
class Cost {
  readonly #budget: Budget;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  look(text: string, sought: string): void {
    if (sought.length > SKIPPED_LENGTH_MAX) this.lookBackwards(text, sought);
  }

  /** Backwards V8 skips nothing. */
  lookBackwards(text: string, sought: string): void {
    this.#budget.spend(Math.ceil((text.length * sought.length) / COMPARISONS_PER_STEP));
  }

  readonly split = (text: string, separator: string): string[] => {
    this.look(text, separator);
    return text.split(separator);
  };

  readonly join = (texts: readonly string[], separator = ''): string => {
    if (texts.some((text) => typeof text !== 'string')) {
      throw new ValueError('invalid list element type');
    }
    const separators = separator.length * Math.max(0, texts.length - 1);
    const written = texts.reduce((sum, text) => sum + text.length, separators);
    this.#budget.spend(Math.ceil(written / WRITTEN_PER_STEP));
    return texts.join(separator);
  };
}

function toIndex(text: string, from: bigint): number {
  if (from >= 0n && from < text.length) return Number(from);
  throw new ValueError('index out of range');
}
