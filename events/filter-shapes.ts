// Filters that differ only in their literals share one compiled program. Before it is
// evaluated for one of them, that filter's literals are put in their places: evaluations
// do not overlap.

import { partsOf } from './filter-expression.ts';
import type { Expression } from './filter-expression.ts';
import type { Steps } from './filter-budget.ts';
import type { FilterInput } from './filter-input.ts';
import { splitLiterals, toWhole } from './filter-literals.ts';
import type { Literal, Split } from './filter-literals.ts';
import { alternativesOf } from './filter-terms.ts';
import type { Alternative } from './filter-terms.ts';
import { FILTER_LENGTH_MAX, compileProgram } from './filter.ts';
import type { FilterOutcome, Program } from './filter.ts';

/**
 * Compiled programs that are kept, and shapes that are known. Above it the one that was compiled
 * first goes, and is compiled anew when it is needed.
 */
const SHAPES_KEPT_MAX = 4_000;

/** A filter that was checked, in less room than a filter with a program of its own. */
export interface ShapedFilter {
  readonly text: string;
  readonly shape: Shape;
  readonly literals: readonly Literal[];
}

/** A literal in a tree. */
interface Slot extends Expression {
  args: unknown;
}

interface Compiled {
  readonly program: Program;
  readonly slots: readonly Slot[];
}

const known = new Map<string, Shape>();

/** What filters that differ only in their literals have in common. */
export class Shape {
  readonly alternatives: readonly Alternative[];
  readonly isCounted: boolean;
  readonly #key: string;
  readonly #ints: readonly boolean[];
  /** The literals of its first filter: others often have some of them, and can share them. */
  readonly #literals: readonly Literal[];
  #compiled: Compiled | undefined;

  /** @throws FilterError, UnplacedError */
  constructor(text: string, split: Split) {
    const compiled = compile(text, split);
    const { expression, isCounted } = compiled.program;
    const placed = expression === undefined ? [] : slotsIn(expression, split);
    const places = new Map(placed.map((slot, place) => [slot, place] as const));
    this.alternatives = alternativesOf(expression, places);
    this.isCounted = isCounted;
    this.#key = split.shape;
    this.#ints = split.ints;
    this.#literals = split.literals;
    this.#compiled = compiled;
    keep(this.#key, this);
  }

  /** Whether an event matches a filter of this shape. Never throws: an error is no match. */
  evaluate({ text, literals }: ShapedFilter, input: FilterInput, steps: Steps): FilterOutcome {
    const { program, slots } = this.#compiled ?? this.#compileAgain(text, literals);
    for (let place = 0; place < slots.length; place++) {
      const slot = slots[place];
      if (slot !== undefined) slot.args = toValue(literals[place], this.#ints[place]);
    }
    return program.run(input, text, steps);
  }

  /** The literals of another filter, as far as they are the same in the same memory. */
  share(literals: readonly Literal[]): readonly Literal[] {
    return literals.map((literal, place) => {
      const first = this.#literals[place];
      return first === literal ? first : literal;
    });
  }

  /** Gives its program up until it is needed again. */
  release(): void {
    this.#compiled = undefined;
  }

  #compileAgain(text: string, literals: readonly Literal[]): Compiled {
    const compiled = compile(text, literals.length === 0 ? toWhole(text) : splitLiterals(text));
    this.#compiled = compiled;
    keep(this.#key, this);
    return compiled;
  }
}

/** Literals were taken for something that they are not. */
class UnplacedError extends Error {
  override readonly name = 'UnplacedError';
}

/**
 * Compiles a filter, or finds its shape compiled.
 *
 * @throws FilterError
 */
export function shapeFilter(text: string): ShapedFilter {
  // A known shape says nothing of the length.
  if (text.length > FILTER_LENGTH_MAX) compileProgram(text);
  const split = splitLiterals(text);
  try {
    const shape = known.get(split.shape) ?? new Shape(text, split);
    return { text, literals: shape.share(split.literals), shape };
  } catch (error) {
    if (!(error instanceof UnplacedError)) throw error;
    const whole = toWhole(text);
    return { text, literals: [], shape: known.get(whole.shape) ?? new Shape(text, whole) };
  }
}

/** @throws FilterError, UnplacedError */
function compile(text: string, split: Split): Compiled {
  let slots: readonly Slot[] = [];
  const program = compileProgram(text, (tree) => {
    slots = slotsIn(tree, split);
  });
  if (slots.length < split.literals.length) throw new UnplacedError();
  return { program, slots };
}

/** Finds the literals that were taken out: all of them, or none, if one is not what it seemed. */
function slotsIn(tree: Expression, { literals, starts, ints }: Split): readonly Slot[] {
  const found = new Map<number, Slot>();
  const visit = (expression: Expression): void => {
    if (expression.op === 'value') found.set(expression.start, expression);
    for (const part of partsOf(expression)) visit(part);
  };
  visit(tree);
  const slots = starts.map((start) => found.get(start)).filter((slot) => slot !== undefined);
  const isSame = ({ args }: Slot, place: number): boolean =>
    args === toValue(literals[place], ints[place]);
  return slots.every(isSame) ? slots : [];
}

/** As the CEL library has it: ints are bigints, doubles are numbers. */
function toValue(literal: Literal | undefined, isInt: boolean | undefined): unknown {
  return isInt === true && typeof literal === 'number' ? BigInt(literal) : literal;
}

function keep(key: string, shape: Shape): void {
  const former = known.get(key);
  if (former !== shape) former?.release();
  known.delete(key);
  known.set(key, shape);
  if (known.size <= SHAPES_KEPT_MAX) return;
  for (const [oldest, released] of known) {
    known.delete(oldest);
    released.release();
    return;
  }
}
