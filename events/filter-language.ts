// The language of filters: the CEL library as it is set up, mended and bounded here.

import { Environment } from '@marcbachmann/cel-js';
import type { ParseResult } from '@marcbachmann/cel-js';

import { BOUNDED, bound } from './filter-bounds.ts';
import { Budget } from './filter-budget.ts';
import type { KnownCalls } from './filter-check.ts';
import { partsOf } from './filter-expression.ts';
import type { Expression } from './filter-expression.ts';
import { MENDED, mend, registerMended } from './filter-functions.ts';
import { widenHas } from './filter-has.ts';
import { createMatches } from './filter-regex.ts';

/** Most names, literals, operators and calls in one filter. */
export const FILTER_NODES_MAX = 1_000;

/** How deeply parentheses, lists, calls and paths may be nested. */
export const FILTER_DEPTH_MAX = 64;

const NOWHERE = -1;

/** A way to read and run filters. */
export interface Language {
  readonly environment: Environment;
  /** What the evaluation under way may still cost. */
  readonly budget: Budget;
}

/**
 * Sets the library up.
 *
 * @param unlistedVariablesAreDyn whether any variable may be named, and not those of filters only
 */
export function createLanguage(unlistedVariablesAreDyn = false): Language {
  const budget = new Budget();
  return { environment: createEnvironment(budget, unlistedVariablesAreDyn), budget };
}

/** Parses a filter. Its tree is as it was written, but for `has`. */
export function parse({ environment }: Language, text: string): ParseResult {
  const program = environment.parse(text);
  widenHas(program.ast, (key, holder) => {
    return callOf(environment, `${MENDED}has(data, ${JSON.stringify(key)})`, holder).ast;
  });
  return program;
}

/** Makes a tree that was parsed do as the language says, before it is checked. */
export function mendTree({ environment }: Language, tree: Expression): void {
  mend(tree, (expression) => {
    const { start, end } = expression;
    return Object.assign(callOf(environment, 'dyn(data)', expression).ast, { start, end });
  });
}

/** Makes a tree that was mended pay for what it does, before it is checked. */
export function boundTree({ environment }: Language, tree: Expression): void {
  bound(tree, (name, expression, weight) => {
    const call = `${name}(data${weight === undefined ? '' : `, ${weight}`})`;
    return callOf(environment, call, expression).ast;
  });
}

/** A part of a tree as a program of its own. */
export function toProgram({ environment }: Language, part: Expression): ParseResult {
  return callOf(environment, 'dyn(data)', part);
}

/** Evaluates a program, on what its language's budget has left. */
export function run(program: ParseResult, variables: Readonly<Record<string, unknown>>): unknown {
  const { stackTraceLimit } = Error;
  // Errors are ordinary here, up to one for each element of a list: most of their
  // cost is the stack trace, and nobody reads it.
  Error.stackTraceLimit = 0;
  try {
    return program(variables);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function callOf(environment: Environment, call: string, expression: Expression): ParseResult {
  const program = environment.parse(call);
  if (program.ast.op === 'call') Object.assign(program.ast.args[1], [expression]);
  // What else is in the call has no place in the filter's text.
  for (const part of partsOf(program.ast)) {
    if (part !== expression) Object.assign(part, { start: NOWHERE, end: NOWHERE });
  }
  return program;
}

function createEnvironment(budget: Budget, unlistedVariablesAreDyn: boolean): Environment {
  const limits = { maxAstNodes: FILTER_NODES_MAX, maxDepth: FILTER_DEPTH_MAX };
  const matches = createMatches(budget);
  const elements = (value: unknown, names: bigint): unknown =>
    budget.spendOnElements(value, Number(names));
  const whole = (value: unknown): unknown => budget.spendOnWhole(value);
  const text = (value: unknown): unknown => budget.spendOnText(value);
  const sync = { async: false };
  const environment = new Environment({
    homogeneousAggregateLiterals: false,
    unlistedVariablesAreDyn,
    limits,
  })
    .registerVariable('event_type', 'string')
    .registerVariable('data', 'dyn')
    .registerVariable('event', 'map<string, string>')
    .registerFunction('matches(string, string): bool', matches, sync)
    .registerFunction(`${BOUNDED.matches}(string, string): bool`, matches, sync)
    .registerFunction(`string.${BOUNDED.matches}(string): bool`, matches, sync)
    .registerFunction(`${BOUNDED.elements}(dyn, int): dyn`, elements, sync)
    .registerFunction(`${BOUNDED.text}(dyn): dyn`, text, sync)
    .registerFunction(`${BOUNDED.whole}(dyn): dyn`, whole, sync);
  registerMended(environment, budget);
  return environment;
}

/** What filters may call. */
export function knownCalls({ environment }: Language): KnownCalls {
  const own: readonly string[] = Object.values(BOUNDED);
  const functions = new Set<string>();
  const methods = new Set<string>();
  for (const { name, receiverType } of environment.getDefinitions().functions) {
    if (own.includes(name) || name.startsWith(MENDED) || /^optional/i.test(receiverType ?? ''))
      continue;
    (receiverType === null ? functions : methods).add(name);
  }
  return { functions, methods };
}
