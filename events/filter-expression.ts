// The syntax tree of a filter, as far as this folder looks at it. The tree is the
// CEL library's own; these functions are all that knows its shape.

/** One node of a filter's syntax tree. */
export interface Expression {
  readonly op: string;
  readonly args: unknown;
  /** Where it begins and ends, as indexes into the text. */
  readonly start: number;
  readonly end: number;
}

/** A function call, `name(...)`, or a method call, `receiver.name(...)`. */
export interface Call {
  readonly name: string;
  readonly receiver?: Expression;
  readonly parameters: readonly Expression[];
}

/** How the library keeps a comprehension: expanded, beside the call that was written. */
export interface Expanded extends Expression {
  readonly meta: { readonly alternate: { readonly args: { iterable: Expression } } };
}

/** The macros that run a part of the filter once for each element of a list. */
const COMPREHENSIONS: ReadonlySet<string> = new Set([
  'all',
  'exists',
  'exists_one',
  'map',
  'filter',
]);

export function isExpression(value: unknown): value is Expression {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}

/** The parts that an expression is made of, in the order in which they are written. */
export function partsOf(expression: Expression): readonly Expression[] {
  return expressionsIn(expression.args);
}

/** The expression as a call, or `undefined` when it is not one. */
export function toCall(expression: Expression): Call | undefined {
  if (!Array.isArray(expression.args)) return undefined;
  const args: readonly unknown[] = expression.args;
  const [name, second] = args;
  if (typeof name !== 'string') return undefined;
  if (expression.op === 'call') return { name, parameters: expressionsIn(second) };
  if (expression.op !== 'rcall' || !isExpression(second)) return undefined;
  return { name, receiver: second, parameters: expressionsIn(args[2]) };
}

/** Whether a call runs one of its parameters for each element of its receiver. */
export function isComprehension(call: Call): boolean {
  return call.receiver !== undefined && COMPREHENSIONS.has(call.name);
}

/** Whether a call gives a name to a value, and evaluates one of its parameters with it. */
export function isMacro(call: Call): boolean {
  return isComprehension(call) || (call.name === 'bind' && toName(call.receiver) === 'cel');
}

/** Whether the library keeps an expansion of the call beside what was written. */
export function isExpanded(expression: Expression): expression is Expanded {
  const call = toCall(expression);
  return call !== undefined && isComprehension(call);
}

/** The name that an expression consists of, or `undefined`. */
export function toName(expression: Expression | undefined): string | undefined {
  return expression?.op === 'id' && typeof expression.args === 'string'
    ? expression.args
    : undefined;
}

function expressionsIn(value: unknown): readonly Expression[] {
  if (Array.isArray(value)) return value.flatMap(expressionsIn);
  return isExpression(value) ? [value] : [];
}
