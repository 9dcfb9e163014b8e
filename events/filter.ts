// Compiles and evaluates one filter.
//
// A filter is checked as far as it can be before it is accepted, for afterwards
// nobody is there to see it fail: an error during evaluation is "no match".

import type { ParseResult } from '@marcbachmann/cel-js';

import { isUnbounded } from './filter-bounds.ts';
import type { Steps } from './filter-budget.ts';
import { FilterCheck } from './filter-check.ts';
import { FilterError, toFilterError } from './filter-error.ts';
import type { Expression } from './filter-expression.ts';
import { withoutConstructors } from './filter-input.ts';
import type { FilterInput } from './filter-input.ts';
import { boundTree, createLanguage, knownCalls, mendTree, parse, run } from './filter-language.ts';
import { toFailure, toRefusal, typeName } from './filter-words.ts';

export { FilterError } from './filter-error.ts';
export { FILTER_DEPTH_MAX, FILTER_NODES_MAX } from './filter-language.ts';
export { toFilterInput } from './filter-input.ts';
export type { FilterInput } from './filter-input.ts';

/** Longest filter accepted, in characters. Bounds the cost of compiling one. */
export const FILTER_LENGTH_MAX = 4_096;

/** Compiled filters that are kept. Above it, the one unused for longest goes. */
const FILTERS_KEPT_MAX = 1_000;

/** What became of a filter on one event. `error` says why it could not be evaluated. */
export interface FilterOutcome {
  readonly matched: boolean;
  readonly error?: string;
}

/** What a filter is compiled to. */
export interface Program {
  /** The syntax tree as it was checked. The empty filter, which wants every event, has none. */
  readonly expression?: Expression;
  /** Whether its steps are counted: what others cost, their length bounds. */
  readonly isCounted: boolean;
  /** Evaluates it in the words of this text, within so many steps. Never throws. */
  run(input: FilterInput, text: string, steps?: Steps): FilterOutcome;
}

/** A filter that was checked. */
export interface Filter {
  readonly text: string;
  /** Its syntax tree. The empty filter, which wants every event, has none. */
  readonly expression?: Expression;
  /** Whether an event matches. Never throws: an error is no match. */
  evaluate(input: FilterInput): FilterOutcome;
}

type OnTree = (tree: Expression) => void;

const MATCHED: FilterOutcome = { matched: true };
const NOT_MATCHED: FilterOutcome = { matched: false };
const language = createLanguage();
const known = knownCalls(language);
const kept = new Map<string, Filter>();

/**
 * Compiles a filter. Text that is empty or blank wants every event.
 *
 * @throws FilterError when it does not parse, or can never be true or false
 */
export function compileFilter(text: string): Filter {
  const filter = kept.get(text) ?? compile(text);
  kept.delete(text);
  kept.set(text, filter);
  if (kept.size > FILTERS_KEPT_MAX) {
    const [oldest] = kept.keys();
    if (oldest !== undefined) kept.delete(oldest);
  }
  return filter;
}

function compile(text: string): Filter {
  const program = compileProgram(text);
  const { expression } = program;
  return {
    text,
    ...(expression && { expression }),
    evaluate: (input) => program.run(input, text),
  };
}

/**
 * Compiles a filter that nobody keeps. `onTree` is shown the tree that will be evaluated.
 *
 * @throws FilterError
 */
export function compileProgram(text: string, onTree: OnTree = () => {}): Program {
  if (text.length > FILTER_LENGTH_MAX) {
    throw new FilterError(`filter is ${text.length} characters, at most ${FILTER_LENGTH_MAX}`);
  }
  if (text.trim() === '') return { isCounted: false, run: () => MATCHED };
  try {
    const program = parse(language, text);
    new FilterCheck(text, known).run(program.ast);
    const isCounted = isUnbounded(program.ast);
    mendTree(language, program.ast);
    checkTypes(text, program);
    const runnable = isCounted ? parseAgain(text) : program;
    onTree(runnable.ast);
    if (isCounted) boundTree(language, runnable.ast);
    return {
      expression: program.ast,
      isCounted,
      run: (input, words, steps) => evaluate(runnable, { input, text: words, steps }),
    };
  } catch (error) {
    throw toRefusal(text, error);
  }
}

function checkTypes(text: string, program: ParseResult): void {
  const { valid, type, error } = program.check();
  if (!valid) throw error ?? new FilterError('filter: its types do not fit');
  // Only the event tells the type of what is read from its data.
  if (type === 'bool' || type?.startsWith('dyn') === true) return;
  throw toFilterError(text, { problem: `it is of type ${type}, not bool`, at: 0 });
}

/** The tree that was type-checked cannot be changed any longer. */
function parseAgain(text: string): ParseResult {
  const program = parse(language, text);
  mendTree(language, program.ast);
  return program;
}

/** What one evaluation needs. */
interface Evaluation {
  readonly input: FilterInput;
  readonly text: string;
  readonly steps: Steps | undefined;
}

function evaluate(program: ParseResult, evaluation: Evaluation): FilterOutcome {
  const { text, steps } = evaluation;
  language.budget.refill(steps?.allowance);
  try {
    const result = runTwice(program, evaluation);
    if (result === true) return MATCHED;
    if (result === false) return NOT_MATCHED;
    return { matched: false, error: `it is of type ${typeName(result)}, not bool` };
  } catch (error) {
    return { matched: false, error: toFailure(error, text) };
  } finally {
    steps?.take(language.budget.spent);
  }
}

function runTwice(program: ParseResult, { input, text }: Evaluation): unknown {
  try {
    return run(program, input);
  } catch (error) {
    const readable = withoutConstructors(input, text);
    if (readable === undefined) throw error;
    return run(program, readable);
  }
}
