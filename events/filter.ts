// Compiles and evaluates one filter. This is the only file that knows the CEL library.
//
// A filter is checked as far as it can be before it is accepted, for afterwards
// nobody is there to see it fail: an error during evaluation is "no match".

import { Environment, EvaluationError, ParseError, TypeError } from '@marcbachmann/cel-js';
import type { ParseResult } from '@marcbachmann/cel-js';

import { BOUNDED, bound, isUnbounded } from './filter-bounds.ts';
import { Budget, BudgetError } from './filter-budget.ts';
import type { Steps } from './filter-budget.ts';
import { FilterCheck } from './filter-check.ts';
import type { KnownCalls } from './filter-check.ts';
import { FilterError, toFilterError } from './filter-error.ts';
import type { Expression } from './filter-expression.ts';
import { widenHas } from './filter-has.ts';
import { suggest, suggestAt } from './filter-hints.ts';
import { withoutConstructors } from './filter-input.ts';
import type { FilterInput } from './filter-input.ts';
import { PatternError, createMatches } from './filter-regex.ts';

export { FilterError } from './filter-error.ts';
export { toFilterInput } from './filter-input.ts';
export type { FilterInput } from './filter-input.ts';

/** Longest filter accepted, in characters. Bounds the cost of compiling one. */
export const FILTER_LENGTH_MAX = 4_096;

/** Most names, literals, operators and calls in one filter. */
export const FILTER_NODES_MAX = 1_000;

/** How deeply parentheses, lists, calls and paths may be nested. */
export const FILTER_DEPTH_MAX = 64;

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

// The library reads timestamps in the zone of the host (`getHours('Asia/Tokyo')` is
// wrong where the host's own clock skips an hour). A filter must not depend on the
// machine that evaluates it, and nothing else here uses local time.
process.env['TZ'] = 'UTC';

const MATCHED: FilterOutcome = { matched: true };
const NOT_MATCHED: FilterOutcome = { matched: false };
const VARIABLES: readonly string[] = ['data', 'event_type', 'event', 'true', 'false', 'null'];

/** Errors whose text names types and operators, and nothing from the event. */
const WORDED: ReadonlySet<string> = new Set([
  'no_such_overload',
  'no_matching_overload',
  'invalid_logical_operand',
  'invalid_condition_type',
]);

/** What the library calls a thing, and what the author of a filter does. */
const WORDS: ReadonlyArray<readonly [RegExp, string]> = [
  [/^Exceeded maxAstNodes.*/, `it has too many parts, at most ${FILTER_NODES_MAX}`],
  [/^Exceeded maxDepth.*/, `it is nested too deeply, at most ${FILTER_DEPTH_MAX} levels`],
  [/\bEOF\b/, 'the end of the filter'],
  [/\bCOLON\b/, "':'"],
  [/\bRPAREN\b/, "')'"],
  [/\bLPAREN\b/, "'('"],
  [/\bRBRACKET\b/, "']'"],
  [/\bRBRACE\b/, "'}'"],
  [new RegExp(BOUNDED.matches), 'matches'],
  [/\bdyn<(\w+(?:<[^>]*>)?)>/g, '$1'],
];

type OnTree = (tree: Expression) => void;

const budget = new Budget();
const environment = createEnvironment();
const known = knownCalls();
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
    const program = parse(text);
    new FilterCheck(text, known).run(program.ast);
    checkTypes(text, program);
    const isCounted = isUnbounded(program.ast);
    const runnable = isCounted ? parse(text) : program;
    onTree(runnable.ast);
    if (isCounted) boundSteps(runnable);
    return {
      expression: program.ast,
      isCounted,
      run: (input, words, steps) => evaluate(runnable, { input, text: words, steps }),
    };
  } catch (error) {
    throw error instanceof FilterError ? error : explain(text, error);
  }
}

function checkTypes(text: string, program: ParseResult): void {
  const { valid, type, error } = program.check();
  if (!valid) throw error ?? new FilterError('filter: its types do not fit');
  // Only the event tells the type of what is read from its data.
  if (type === 'bool' || type?.startsWith('dyn') === true) return;
  throw toFilterError(text, { problem: `it is of type ${type}, not bool`, at: 0 });
}

function parse(text: string): ParseResult {
  const program = environment.parse(text);
  widenHas(program.ast, (key, holder) => {
    const { ast } = environment.parse(`${JSON.stringify(key)} in data`);
    if (ast.op === 'in') Object.assign(ast.args, [ast.args[0], holder]);
    return ast;
  });
  return program;
}

/** The tree must be a fresh one: what was type-checked cannot be changed any longer. */
function boundSteps(program: ParseResult): void {
  bound(program.ast, (name, expression, weight) => {
    const { ast } = environment.parse(`${name}(data${weight === undefined ? '' : `, ${weight}`})`);
    if (ast.op === 'call') Object.assign(ast.args[1], [expression]);
    return ast;
  });
}

function explain(text: string, error: unknown): FilterError {
  if (error instanceof ParseError) {
    const at = error.range?.start ?? 0;
    const hint = suggestAt(text, at);
    return toFilterError(text, { problem: inWords(toUnexpected(error, text)), at, hint });
  }
  if (error instanceof TypeError || error instanceof EvaluationError) {
    const problem = inWords(error.summary);
    return toFilterError(text, { problem, at: error.range?.start, hint: hintFor(error, text) });
  }
  const reason = error instanceof RangeError ? 'it is nested too deeply' : String(error);
  return toFilterError(text, { problem: `it cannot be compiled, ${reason}` });
}

/** The library names the last letter of a word that it did not expect. */
function toUnexpected(error: ParseError, text: string): string {
  const { code, range, summary } = error;
  if (code !== 'unexpected_character' || range === undefined) return summary;
  const word = text.slice(range.start, Math.max(range.end, range.start + 1));
  const letter = String.fromCodePoint(text.codePointAt(range.start) ?? 0);
  return `unexpected ${JSON.stringify(word.length > 1 ? word : letter)}`;
}

function hintFor(error: TypeError | EvaluationError, text: string): string | undefined {
  const { code, summary, range } = error;
  if (code === 'unknown_variable') {
    return suggest(text.slice(range?.start, range?.end), VARIABLES);
  }
  if (code === 'no_such_overload' && /\btype\b/.test(summary)) return 'did you mean event_type?';
  if (code === 'invalid_macro_argument' && summary.startsWith('has(')) {
    return "write has(path.name), or 'name' in value";
  }
  return undefined;
}

function inWords(summary: string): string {
  let words = summary;
  for (const [pattern, replacement] of WORDS) words = words.replace(pattern, replacement);
  return words.charAt(0).toLowerCase() + words.slice(1);
}

/** What one evaluation needs. */
interface Evaluation {
  readonly input: FilterInput;
  readonly text: string;
  readonly steps: Steps | undefined;
}

function evaluate(program: ParseResult, evaluation: Evaluation): FilterOutcome {
  const { text, steps } = evaluation;
  budget.refill(steps?.allowance);
  try {
    const result = runTwice(program, evaluation);
    if (result === true) return MATCHED;
    if (result === false) return NOT_MATCHED;
    return { matched: false, error: `it is of type ${typeName(result)}, not bool` };
  } catch (error) {
    return { matched: false, error: describe(error, text) };
  } finally {
    steps?.take(budget.spent);
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

function run(program: ParseResult, input: FilterInput): unknown {
  const { stackTraceLimit } = Error;
  // Errors are ordinary here, up to one for each element of a list: most of their
  // cost is the stack trace, and nobody reads it.
  Error.stackTraceLimit = 0;
  try {
    return program(input);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Says why a filter could not be evaluated, without a word of what the event holds. */
function describe(error: unknown, text: string): string {
  if (error instanceof BudgetError) return `it takes ${error.message}`;
  if (error instanceof PatternError) return 'invalid regular expression';
  if (!(error instanceof EvaluationError)) return 'the event cannot be read';
  if (WORDED.has(error.code)) return inWords(error.summary);
  const key = /^No such key: (.*)$/.exec(error.summary)?.[1];
  // A key may itself have come from the event; one that the filter names has not.
  if (error.code === 'no_such_key' && key !== undefined && text.includes(key)) {
    return `no such key: ${key}`;
  }
  return error.code.replaceAll('_', ' ');
}

function typeName(result: unknown): string {
  if (result === null) return 'null';
  if (typeof result === 'bigint') return 'int';
  if (typeof result === 'number') return 'double';
  if (Array.isArray(result)) return 'list';
  return typeof result === 'object' ? 'map' : typeof result;
}

function createEnvironment(): Environment {
  const limits = { maxAstNodes: FILTER_NODES_MAX, maxDepth: FILTER_DEPTH_MAX };
  const matches = createMatches(budget);
  const elements = (value: unknown, names: bigint): unknown =>
    budget.spendOnElements(value, Number(names));
  const whole = (value: unknown): unknown => budget.spendOnWhole(value);
  const text = (value: unknown): unknown => budget.spendOnText(value);
  const sync = { async: false };
  return new Environment({ homogeneousAggregateLiterals: false, limits })
    .registerVariable('event_type', 'string')
    .registerVariable('data', 'dyn')
    .registerVariable('event', 'map<string, string>')
    .registerFunction('matches(string, string): bool', matches, sync)
    .registerFunction(`${BOUNDED.matches}(string, string): bool`, matches, sync)
    .registerFunction(`string.${BOUNDED.matches}(string): bool`, matches, sync)
    .registerFunction(`${BOUNDED.elements}(dyn, int): dyn`, elements, sync)
    .registerFunction(`${BOUNDED.text}(dyn): dyn`, text, sync)
    .registerFunction(`${BOUNDED.whole}(dyn): dyn`, whole, sync);
}

function knownCalls(): KnownCalls {
  const own: readonly string[] = Object.values(BOUNDED);
  const functions = new Set<string>();
  const methods = new Set<string>();
  for (const { name, receiverType } of environment.getDefinitions().functions) {
    if (own.includes(name) || /^optional/i.test(receiverType ?? '')) continue;
    (receiverType === null ? functions : methods).add(name);
  }
  return { functions, methods };
}
