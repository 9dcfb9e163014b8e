// What an event must have for a filter to match: the equalities among the parts that
// the filter joins with `&&`. An `&&` is true only if every part is, so an event that
// lacks one of these cannot match, whatever the rest says.

import { isExpression, partsOf, toName } from './filter-expression.ts';
import type { Expression } from './filter-expression.ts';
import type { FilterInput } from './filter-input.ts';

/**
 * A value that is looked up. JavaScript's own keys tell `3` from `'3'`, and CEL's
 * `3 == 3.0` are one number here.
 */
export type Scalar = string | number | boolean | null;

/** The way to a value: a variable, then keys and list indexes. */
export type Path = readonly [variable: string, ...segments: ReadonlyArray<string | bigint>];

/** An equality: the value at the path is one of these. */
export interface Term {
  readonly path: Path;
  readonly values: readonly Scalar[];
}

const VARIABLES: ReadonlySet<string> = new Set(['event_type', 'data', 'event']);

/** The equalities that an event must satisfy to match. None for the empty filter. */
export function termsOf(expression: Expression | undefined): readonly Term[] {
  if (expression === undefined) return [];
  if (expression.op === '&&') return partsOf(expression).flatMap(termsOf);
  const [left, right] = partsOf(expression);
  if (left === undefined || right === undefined) return [];
  if (expression.op === '==') return toTerm(left, [right]) ?? toTerm(right, [left]) ?? [];
  if (expression.op === 'in' && right.op === 'list') return toTerm(left, partsOf(right)) ?? [];
  return [];
}

/**
 * Reads the value at a path, as a filter would.
 *
 * @returns `undefined` where there is none, or where it is a list or a map
 */
export function lookUp(input: FilterInput, [variable, ...segments]: Path): Scalar | undefined {
  let value: unknown = input[variable];
  for (const segment of segments) value = step(value, segment);
  return toScalar(value);
}

function step(holder: unknown, segment: string | bigint): unknown {
  if (typeof holder !== 'object' || holder === null) return undefined;
  if (holder instanceof Map) return holder.get(segment);
  const key = String(segment);
  return Object.hasOwn(holder, key) ? Reflect.get(holder, key) : undefined;
}

function toTerm(left: Expression, literals: readonly Expression[]): [Term] | undefined {
  const path = toPath(left);
  if (path === undefined) return undefined;
  const values = new Set<Scalar>();
  for (const literal of literals) {
    const value = toLiteral(literal);
    // One value that cannot be looked up is enough to make all of them useless.
    if (value === undefined) return undefined;
    values.add(value);
  }
  return [{ path, values: [...values] }];
}

function toPath(expression: Expression): Path | undefined {
  const name = toName(expression);
  if (name !== undefined) return VARIABLES.has(name) ? [name] : undefined;
  if (expression.op !== '.' && expression.op !== '[]') return undefined;
  if (!Array.isArray(expression.args)) return undefined;
  const [holder, member]: readonly unknown[] = expression.args;
  const path = isExpression(holder) ? toPath(holder) : undefined;
  const segment = isExpression(member) && member.op === 'value' ? member.args : member;
  if (path === undefined) return undefined;
  return typeof segment === 'string' || typeof segment === 'bigint'
    ? [...path, segment]
    : undefined;
}

function toLiteral(expression: Expression): Scalar | undefined {
  if (expression.op === 'value') return toScalar(expression.args);
  const [operand] = partsOf(expression);
  if (expression.op !== '-_' || operand?.op !== 'value') return undefined;
  const value = toScalar(operand.args);
  return typeof value === 'number' ? -value : undefined;
}

function toScalar(value: unknown): Scalar | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return value;
  // A larger integer has no exact number to be looked up by.
  if (typeof value === 'bigint' && Number.isSafeInteger(Number(value))) return Number(value);
  return undefined;
}
