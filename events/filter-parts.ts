// Looks into a filter: what each of its parts is, for given variables.

import { isUnbounded } from './filter-bounds.ts';
import { partsOf } from './filter-expression.ts';
import type { Expression } from './filter-expression.ts';
import { boundTree, createLanguage, mendTree, parse, run, toProgram } from './filter-language.ts';
import type { Language } from './filter-language.ts';
import { toFailure, toRefusal } from './filter-words.ts';

/** What a part of a filter comes to: a value, or why it has none. */
export type PartOutcome = { readonly value: unknown } | { readonly error: string };

let language: Language | undefined;

/** A filter with all its parts. It may name any variable, and be of any type. */
export class FilterParts {
  readonly tree: Expression;
  readonly #text: string;
  readonly #language: Language;
  /** The parts of a second tree, which is bounded, by the way that leads to them in the first. */
  readonly #parts = new Map<string, Expression>();

  /** @throws FilterError when it does not parse */
  constructor(text: string) {
    this.#text = text;
    this.#language = language ??= createLanguage(true);
    this.tree = this.#parse();
    const evaluated = this.#parse();
    this.#collect(evaluated, []);
    if (isUnbounded(evaluated)) boundTree(this.#language, evaluated);
  }

  /** Evaluates the part at the end of a way of positions among `partsOf`. */
  evaluate(way: readonly number[], variables: Readonly<Record<string, unknown>>): PartOutcome {
    const part = this.#parts.get(way.join());
    if (part === undefined) return { error: 'there is no such part' };
    try {
      this.#language.budget.refill();
      return { value: run(toProgram(this.#language, part), variables) };
    } catch (error) {
      return { error: toFailure(error, this.#text) };
    }
  }

  #collect(part: Expression, way: readonly number[]): void {
    this.#parts.set(way.join(), part);
    for (const [position, inner] of partsOf(part).entries()) {
      this.#collect(inner, [...way, position]);
    }
  }

  #parse(): Expression {
    try {
      const { ast } = parse(this.#language, this.#text);
      mendTree(this.#language, ast);
      return ast;
    } catch (error) {
      throw toRefusal(this.#text, error);
    }
  }
}
