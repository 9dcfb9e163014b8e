// Makes a parsed filter pay for what it does. The CEL library has no limit on the
// cost of an evaluation and matches regular expressions by backtracking, and neither
// can be replaced from outside: so the tree is changed before it is first evaluated.

import { isExpanded, isExpression, isMacro, partsOf, toCall } from './filter-expression.ts';
import type { Call, Expression } from './filter-expression.ts';

/** Names of the functions that a bounded filter calls. Filters themselves cannot. */
export const BOUNDED = {
  elements: 'bounded_elements',
  whole: 'bounded_whole',
  text: 'bounded_text',
  matches: 'bounded_matches',
} as const;

/** Makes the call `name(expression)`, or `name(expression, weight)`. */
export type Wrap = (name: string, expression: Expression, weight?: number) => Expression;

/** Operators whose cost grows with their operands. */
const COSTLY_OPERATORS: ReadonlySet<string> = new Set(['==', '!=', 'in', '+']);

/** Calls whose parameters are not values. */
const MACROS_ON_PATHS: ReadonlySet<string> = new Set(['has']);

/** Methods that read no more of a text than a literal is long. */
const READING_A_LITERAL: ReadonlySet<string> = new Set(['startsWith', 'endsWith']);

/** Whether a filter has to be bounded: the cost of others does not grow with the event. */
export function isUnbounded(expression: Expression): boolean {
  return isCostly(expression) || partsOf(expression).some(isUnbounded);
}

function isCostly(expression: Expression): boolean {
  const call = toCall(expression);
  const [left, right] = partsOf(expression);
  if (call !== undefined) {
    if (READING_A_LITERAL.has(call.name)) return !call.parameters.every(isLiteral);
    return !MACROS_ON_PATHS.has(call.name);
  }
  if (expression.op === '+') return true;
  if (!COSTLY_OPERATORS.has(expression.op) || left === undefined || right === undefined) {
    return false;
  }
  if (expression.op === 'in') return right.op !== 'list' || !partsOf(right).every(isLiteral);
  return !isLiteral(left) && !isLiteral(right);
}

function isLiteral(expression: Expression): boolean {
  const [operand] = partsOf(expression);
  return expression.op === 'value' || (expression.op === '-_' && operand?.op === 'value');
}

/** Changes a tree so that its evaluation counts its steps. */
export function bound(expression: Expression, wrap: Wrap): void {
  const call = toCall(expression);
  const weight = sum(call?.parameters.map(countNodes) ?? []);
  for (const part of partsOf(expression)) bound(part, wrap);
  // With a position the library draws the filter into each error, once for each
  // element of a list. Nobody sees it: what is shown is made from the error's code.
  Object.assign(expression, { pos: undefined, start: undefined });
  if (call === undefined) {
    if (COSTLY_OPERATORS.has(expression.op)) wrapAll(expression.args, wrap);
  } else if (isExpanded(expression)) {
    const { args } = expression.meta.alternate;
    args.iterable = wrap(BOUNDED.elements, args.iterable, weight);
  } else if (!isMacro(call) && !MACROS_ON_PATHS.has(call.name)) {
    boundCall(expression, call, wrap);
  }
}

function boundCall(expression: Expression, call: Call, wrap: Wrap): void {
  const { args } = expression;
  if (!Array.isArray(args)) return;
  if (call.name === 'matches') args[0] = BOUNDED.matches;
  // The size of a list is known, and what it holds is not looked at.
  const wrapOne: Wrap =
    call.name === 'size' ? (_name, operand) => wrap(BOUNDED.text, operand) : wrap;
  wrapAll(args.at(-1), wrapOne);
  if (call.receiver !== undefined) args[1] = toWrapped(call.receiver, wrapOne);
}

function wrapAll(operands: unknown, wrap: Wrap): void {
  if (!Array.isArray(operands)) return;
  for (const [position, operand] of operands.entries()) {
    if (isExpression(operand)) operands[position] = toWrapped(operand, wrap);
  }
}

function toWrapped(operand: Expression, wrap: Wrap): Expression {
  return operand.op === 'value' ? operand : wrap(BOUNDED.whole, operand);
}

function countNodes(expression: Expression): number {
  return 1 + sum(partsOf(expression).map(countNodes));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
