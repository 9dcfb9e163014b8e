// Places in a filter, and what is there: bounded in how often and for how long it looks.

import { partsOf } from './filter-expression.ts';
import type { Expression } from './filter-expression.ts';
import type { FilterParts, PartOutcome } from './filter-parts.ts';
import { Renderer } from './filter-render.ts';

/** How many parts are evaluated, and for how long, before no more are. */
const EVALUATIONS_MAX = 200;
const EVALUATION_MS_MAX = 250;

/** Stands in for what a part comes to when there is no time left to find out. */
export const NOT_LOOKED_INTO = 'it takes too long to say why';

/** A part of a filter, with the variables that are there. */
export interface Place {
  readonly expression: Expression;
  /** How to get there from the whole, by positions among `partsOf`. */
  readonly way: readonly number[];
  readonly variables: Readonly<Record<string, unknown>>;
}

export class Places {
  readonly render: Renderer;
  readonly #parts: FilterParts;
  readonly #until = performance.now() + EVALUATION_MS_MAX;
  #left = EVALUATIONS_MAX;
  /** What was found, by the variables and then by the way. */
  readonly #found = new Map<object, Map<string, PartOutcome>>();

  constructor(text: string, parts: FilterParts, secrets: ReadonlySet<string>) {
    this.render = new Renderer(text, secrets);
    this.#parts = parts;
  }

  evaluate({ way, variables }: Place): PartOutcome {
    const found = this.#found.get(variables) ?? new Map<string, PartOutcome>();
    this.#found.set(variables, found);
    const outcome = found.get(way.join()) ?? this.#look(way, variables);
    found.set(way.join(), outcome);
    return outcome;
  }

  #look(way: readonly number[], variables: Readonly<Record<string, unknown>>): PartOutcome {
    if (this.#left-- <= 0 || performance.now() > this.#until) return { error: NOT_LOOKED_INTO };
    return this.#parts.evaluate(way, variables);
  }

  /** The part at a position among the parts of this one. */
  within({ expression, way, variables }: Place, position: number): Place {
    const part = partsOf(expression)[position] ?? expression;
    return { expression: part, way: [...way, position], variables };
  }
}
