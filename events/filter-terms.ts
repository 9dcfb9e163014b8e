// What an event must have for a filter to match, as far as it can be looked up.
//
// An `&&` is true only if both sides are, an `||` only if one is. So a filter is turned
// into alternatives, each a list of terms that all have to hold: an event for which in
// each alternative a term fails cannot match, whatever the rest of the filter says.

import { isExpression, partsOf, toCall, toName } from './filter-expression.ts';
import type { Expression } from './filter-expression.ts';
import type { FilterInput } from './filter-input.ts';
import type { Literal } from './filter-literals.ts';

/**
 * A value that is looked up. JavaScript's own keys tell `3` from `'3'`, and CEL's
 * `3 == 3.0` are one number here.
 */
export type Scalar = string | number | boolean | null;

/** The way to a value: a variable, then keys and list indexes. */
export type Path = readonly [variable: string, ...segments: readonly string[]];

/** A literal, or, where filters of one shape differ, its place among their literals. */
export type Operand = { readonly scalar: Scalar } | { readonly slot: number };

/** The value at the path is one of these, or begins with one of these. */
export interface Term {
  readonly path: Path;
  readonly kind: 'equal' | 'prefix';
  readonly operands: readonly Operand[];
}

/** Terms that all have to hold. */
export type Alternative = readonly Term[];

/** Most alternatives of one filter. */
export const ALTERNATIVES_MAX = 16;

/** Most terms of an alternative. Those that come later are left to the evaluation. */
const TERMS_MAX = 8;

const VARIABLES: ReadonlySet<string> = new Set(['event_type', 'data', 'event']);

/** What is known when nothing is: one alternative, which every event satisfies. */
const ANYTHING: readonly Alternative[] = [[]];

/** The places of those literals of a filter that are not in its shape. */
export type Slots = ReadonlyMap<Expression, number>;

/** The alternatives of a filter. Where one of them has no term, no index can serve it. */
export function alternativesOf(
  expression: Expression | undefined,
  slots: Slots = new Map(),
): readonly Alternative[] {
  if (expression === undefined) return ANYTHING;
  const [left, right] = partsOf(expression);
  if (left === undefined) return ANYTHING;
  const { op } = expression;
  if (op === '&&') return both(alternativesOf(left, slots), alternativesOf(right, slots));
  if (op === '||') return either(alternativesOf(left, slots), alternativesOf(right, slots));
  const term = toTerm(expression, slots);
  return term === undefined ? ANYTHING : [[term]];
}

/** The values of a term's literals. */
export function valuesOf({ operands }: Term, literals: readonly Literal[]): readonly Scalar[] {
  return operands.map((operand) => {
    return 'scalar' in operand ? operand.scalar : (literals[operand.slot] ?? null);
  });
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

/** Reads one key of a map, or one element of a list. */
export function step(holder: unknown, segment: string): unknown {
  if (typeof holder !== 'object' || holder === null) return undefined;
  if (holder instanceof Map) return holder.get(segment);
  return Object.hasOwn(holder, segment) ? Reflect.get(holder, segment) : undefined;
}

export function toScalar(value: unknown): Scalar | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return value;
  // A larger integer has no exact number to be looked up by.
  if (typeof value === 'bigint' && Number.isSafeInteger(Number(value))) return Number(value);
  return undefined;
}

/** Each of the one with each of the other; if that is too many, what one side alone says. */
function both(one: readonly Alternative[], other: readonly Alternative[]): readonly Alternative[] {
  if (one.length * other.length <= ALTERNATIVES_MAX) {
    return one.flatMap((left) => other.map((right) => [...left, ...right].slice(0, TERMS_MAX)));
  }
  if (!isServed(one)) return other;
  return isServed(other) && other.length < one.length ? other : one;
}

function either(
  one: readonly Alternative[],
  other: readonly Alternative[],
): readonly Alternative[] {
  const alternatives = [...one];
  for (const alternative of other) {
    const place = alternatives.findIndex((known) => merge(known, alternative) !== undefined);
    const merged = merge(alternatives[place], alternative);
    if (merged === undefined) alternatives.push(alternative);
    else alternatives[place] = [merged];
  }
  const isKnown = isServed(alternatives) && alternatives.length <= ALTERNATIVES_MAX;
  return isKnown ? alternatives : ANYTHING;
}

/** `a == 1 || a == 2` is `a in [1, 2]`. */
function merge(one: Alternative | undefined, other: Alternative): Term | undefined {
  const [left, right] = [one?.[0], other[0]];
  if (left === undefined || right === undefined) return undefined;
  if (one?.length !== 1 || other.length !== 1 || left.kind !== right.kind) return undefined;
  if (left.path.join('\0') !== right.path.join('\0')) return undefined;
  return { ...left, operands: [...left.operands, ...right.operands] };
}

/** Whether an event can be looked up in every alternative. */
export function isServed(alternatives: readonly Alternative[]): boolean {
  return alternatives.every((terms) => terms.length > 0);
}

function toTerm(expression: Expression, slots: Slots): Term | undefined {
  const call = toCall(expression);
  if (call !== undefined) {
    const [prefix, ...others] = call.parameters;
    if (call.name !== 'startsWith' || prefix === undefined || others.length > 0) return undefined;
    const term = equalityOf(call.receiver, [prefix], slots);
    const isText = typeof prefix.args === 'string';
    return term === undefined || !isText ? undefined : { ...term, kind: 'prefix' };
  }
  const [left, right] = partsOf(expression);
  if (right === undefined) return undefined;
  if (expression.op === '==') {
    return equalityOf(left, [right], slots) ?? equalityOf(right, left && [left], slots);
  }
  const isList = expression.op === 'in' && right.op === 'list';
  return isList ? equalityOf(left, partsOf(right), slots) : undefined;
}

function equalityOf(
  left: Expression | undefined,
  literals: readonly Expression[] | undefined,
  slots: Slots,
): Term | undefined {
  const path = left && toPath(left);
  if (path === undefined || literals === undefined) return undefined;
  const operands: Operand[] = [];
  for (const literal of literals) {
    const slot = slots.get(literal);
    const scalar = toLiteral(literal);
    // One value that cannot be looked up is enough to make all of them useless.
    if (scalar === undefined) return undefined;
    operands.push(slot === undefined ? { scalar } : { slot });
  }
  return { path, kind: 'equal', operands };
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
  // As keys of a map, `'0'` and `0` are told apart by the evaluation.
  return typeof segment === 'string' || typeof segment === 'bigint'
    ? [...path, String(segment)]
    : undefined;
}

function toLiteral(expression: Expression): Scalar | undefined {
  if (expression.op === 'value') return toScalar(expression.args);
  const [operand] = partsOf(expression);
  if (expression.op !== '-_' || operand?.op !== 'value') return undefined;
  const value = toScalar(operand.args);
  return typeof value === 'number' ? -value : undefined;
}
