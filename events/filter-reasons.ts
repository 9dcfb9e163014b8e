// The reasons for what a part of a filter came to, in words.

import { isComprehension, isMacro, partsOf, toCall, toName } from './filter-expression.ts';
import type { Call } from './filter-expression.ts';
import { suggest } from './filter-hints.ts';
import { NOT_LOOKED_INTO } from './filter-places.ts';
import type { Place, Places } from './filter-places.ts';
import { entriesOf, isMap } from './filter-render.ts';
import { typeName } from './filter-words.ts';

/** How many reasons are given. */
export const REASONS_MAX = 5;

/** How many elements of a list are looked into for one that decides. */
const ELEMENTS_MAX = 50;

/** Of so many keys the one is suggested that was probably meant. */
const SUGGESTED_MAX = 100;

/** Where a comprehension has its condition among its parts: after its list and its variable. */
const CONDITION_POSITION = 2;

/** A part of a filter, what it came to, and why. */
export interface Finding {
  readonly place: Place;
  readonly result: 'true' | 'false' | 'error';
  readonly why: string;
}

/** What made a part what it is: the innermost parts that decided, and their values. */
export function explain(places: Places, place: Place): readonly Finding[] {
  const { op } = place.expression;
  if (op === '&&' || op === '||') return explainOperands(places, place);
  const parts = partsOf(place.expression).map((_, position) => places.within(place, position));
  const [first, second, third] = parts;
  if (op === '!_' && first !== undefined) return explain(places, first);
  if (op === '?:' && first !== undefined) {
    const condition = places.evaluate(first);
    const taken = 'value' in condition && condition.value === true ? second : third;
    const isDecided = 'value' in condition && typeof condition.value === 'boolean';
    return explain(places, isDecided && taken !== undefined ? taken : first);
  }
  const outcome = places.evaluate(place);
  if ('error' in outcome) return [whyFailed(places, place)];
  return [whySo(places, place, outcome.value)];
}

/** Of operands joined by `&&` or `||`, those that made the whole what it is. */
function explainOperands(places: Places, place: Place): readonly Finding[] {
  const whole = outcomeOf(places, place);
  const findings: Finding[] = [];
  for (const operand of operandsOf(places, place, place.expression.op)) {
    if (findings.length >= REASONS_MAX) break;
    if (isBehind(place, whole, outcomeOf(places, operand))) {
      findings.push(...explain(places, operand));
    }
  }
  if (findings.length > 0) return findings;
  return [{ place, result: 'error', why: NOT_LOOKED_INTO }];
}

/** An `&&` is false by its false operands and fails by those that fail; an `||` by all. */
function isBehind({ expression }: Place, whole: unknown, operand: unknown): boolean {
  if (typeof whole === 'boolean') return operand === whole;
  return expression.op === '||' || operand !== true;
}

/** Undefined if it fails. */
function outcomeOf(places: Places, place: Place): unknown {
  const outcome = places.evaluate(place);
  return 'value' in outcome ? outcome.value : undefined;
}

/** `a && b && c` as its three operands: as a tree, the first two of them are one. */
function operandsOf(places: Places, place: Place, op: string): readonly Place[] {
  if (place.expression.op !== op) return [place];
  return partsOf(place.expression).flatMap((_, position) =>
    operandsOf(places, places.within(place, position), op),
  );
}

/** Why a part that was evaluated is what it is. */
function whySo(places: Places, place: Place, value: unknown): Finding {
  const { expression } = place;
  if (typeof value !== 'boolean') {
    const shown = places.render.value(expression, value);
    const why = `it is of type ${typeName(value)}, not bool: ${shown}`;
    return { place, result: 'error', why };
  }
  const call = toCall(expression);
  const result = value ? 'true' : 'false';
  if (call === undefined) return { place, result, why: whyOperator(places, place, value) };
  if (call.name === 'has') return { place, result, why: whyHas(places, place, value) };
  const why = isComprehension(call)
    ? whyComprehension(places, place, { call, value })
    : whyCall(places, place, { call, value });
  return { place, result, why };
}

function whyOperator(places: Places, place: Place, value: boolean): string {
  const { op } = place.expression;
  const operands = partsOf(place.expression).map((_, position) => places.within(place, position));
  const [left, right] = operands;
  if (isLiteral(place.expression)) return `it is always ${value}`;
  if (left === undefined || right === undefined || op === '.' || op === '[]') {
    return `${places.render.part(place.expression)} is ${value}`;
  }
  const read = operands.filter(({ expression }) => !isLiteral(expression));
  const values = read.map((operand) => isValue(places, operand)).join(', ');
  if (values === '') return `it is always ${value}`;
  if (value || read.length > 1) {
    return value || op !== '==' ? values : `${values}${whyUnequal(places, left, right)}`;
  }
  const literal = read[0] === left ? right : left;
  const shown = places.render.part(literal.expression);
  if (op === '==') return `${values}, not ${shown}${whyUnequal(places, left, right)}`;
  if (op === 'in' && literal === left) return whyNotIn(places, right);
  return op === '!=' || literal === left ? values : `${values}, not ${op} ${shown}`;
}

function whyNotIn(places: Places, holder: Place): string {
  const outcome = places.evaluate(holder);
  if ('error' in outcome || !isMap(outcome.value)) return isValue(places, holder);
  return `${places.render.part(holder.expression)} has ${places.render.keys(outcome.value)}`;
}

/** Equal to look at, perhaps, and yet of other types. */
function whyUnequal(places: Places, left: Place, right: Place): string {
  const types = [left, right].map((operand) => {
    const outcome = places.evaluate(operand);
    return 'value' in outcome ? typeName(outcome.value) : '';
  });
  const numbers = ['int', 'double'];
  const [one = '', other = ''] = types;
  const isSame = one === other || types.every((type) => numbers.includes(type));
  if (isSame || types.some((type) => type === '' || type === 'null' || type === 'list')) return '';
  return ` (a ${one} is never equal to a ${other})`;
}

function whyCall(
  places: Places,
  place: Place,
  { call, value }: { readonly call: Call; readonly value: boolean },
): string {
  const operands = partsOf(place.expression).map((_, position) => places.within(place, position));
  const values = operands
    .filter(({ expression }) => !isLiteral(expression))
    .map((operand) => isValue(places, operand));
  if (values.length === 0 || call.name === 'bind') return `it is ${value}`;
  const parameters = call.parameters.map((parameter) => places.render.part(parameter)).join(', ');
  return `${values.join(', ')}: ${call.name}(${parameters}) is ${value}`;
}

function whyHas(places: Places, place: Place, value: boolean): string {
  const path = places.within(place, 0);
  if (value) return `${places.render.part(path.expression)} is there`;
  return whyNoKey(places, path);
}

/** Says which keys there are instead. */
function whyNoKey(places: Places, path: Place): string {
  const holder = places.within(path, 0);
  const outcome = places.evaluate(holder);
  const name = places.render.part(holder.expression);
  if ('error' in outcome) return `${name} could not be evaluated`;
  const { value } = outcome;
  const key = keyOf(places, path);
  if (Array.isArray(value)) {
    return `${name} is a list of ${value.length}, and has no element ${key}`;
  }
  if (!isMap(value)) return `${isValue(places, holder)}, which has no keys`;
  const keys = entriesOf(value).map(([each]) => each);
  if (keys.length === 0) return `no such key: ${key}; ${name} is empty`;
  const hint = suggest(key, keys.slice(0, SUGGESTED_MAX));
  const advice = hint === undefined ? '' : `; ${hint}`;
  return `no such key: ${key}; ${name} has ${places.render.keys(value)}${advice}`;
}

function keyOf(places: Places, path: Place): string {
  const { args } = path.expression;
  const member: unknown = Array.isArray(args) ? args[1] : undefined;
  if (typeof member === 'string') return member;
  const index = places.within(path, 1);
  const outcome = places.evaluate(index);
  const shown = 'value' in outcome ? places.render.value(index.expression, outcome.value) : '';
  return shown.replaceAll(/^'|'$/g, '');
}

/** Why a list is one whose elements are, or are not, as the filter wants them. */
function whyComprehension(
  places: Places,
  place: Place,
  { call, value }: { readonly call: Call; readonly value: boolean },
): string {
  const list = places.within(place, 0);
  const name = places.render.part(list.expression);
  const elements = elementsOf(places, list);
  if (elements.length === 0) return `${name} is empty`;
  const seen = elements.slice(0, ELEMENTS_MAX);
  const isFor = (element: unknown): boolean => isTrue(places, inElement(place, call, element));
  // What decides: for `all` an element that is not, for the others one that is.
  const deciding = seen.findIndex((element) => isFor(element) !== (call.name === 'all'));
  if (call.name === 'exists_one') {
    const among = seen.length < elements.length ? `first ${seen.length}` : String(seen.length);
    return `it is true for ${seen.filter(isFor).length} of the ${among} elements of ${name}`;
  }
  if (deciding < 0 && value !== (call.name === 'all')) {
    return `it is ${value} because of an element of ${name} after the first ${seen.length}`;
  }
  if (deciding < 0 && value) return `it is true for ${toAll(elements, name)}`;
  const [finding] = explain(places, inElement(place, call, elements[Math.max(deciding, 0)]));
  const why = finding === undefined ? '' : `: ${finding.why}`;
  if (deciding >= 0) return `element ${deciding} of ${name}${why}`;
  return `it is false for ${toAll(elements, name)}; the first${why}`;
}

function toAll({ length }: readonly unknown[], name: string): string {
  return length === 1 ? `the one element of ${name}` : `all ${length} elements of ${name}`;
}

/** The condition of a comprehension, for one of the elements. */
function inElement(place: Place, call: Call, element: unknown): Place {
  const [variable, condition] = call.parameters;
  return {
    expression: condition ?? place.expression,
    way: [...place.way, CONDITION_POSITION],
    variables: { ...place.variables, [toName(variable) ?? '']: element },
  };
}

function elementsOf(places: Places, list: Place): readonly unknown[] {
  const outcome = places.evaluate(list);
  if ('error' in outcome) return [];
  const elements: readonly unknown[] | undefined = Array.isArray(outcome.value)
    ? outcome.value
    : undefined;
  return elements ?? entriesOf(outcome.value).map(([key]) => key);
}

function isTrue(places: Places, place: Place): boolean {
  const outcome = places.evaluate(place);
  return 'value' in outcome && outcome.value === true;
}

/** The innermost part that fails, and why. */
function whyFailed(places: Places, place: Place): Finding {
  const { expression } = place;
  const whole = places.evaluate(place);
  const error = 'error' in whole ? whole.error : '';
  if (error === NOT_LOOKED_INTO) return { place, result: 'error', why: error };
  const call = toCall(expression);
  const within = partsOf(expression).map((_, position) => places.within(place, position));
  const parts = call?.name === 'has' ? within.map((path) => places.within(path, 0)) : within;
  const evaluated = call !== undefined && isMacro(call) ? parts.slice(0, 1) : parts;
  const failing = evaluated.find((part) => isFailing(places, part));
  if (failing !== undefined) return whyFailed(places, failing);
  if (call !== undefined && isComprehension(call)) {
    const element = elementsOf(places, places.within(place, 0))
      .slice(0, ELEMENTS_MAX)
      .map((each) => inElement(place, call, each))
      .find((each) => isFailing(places, each));
    if (element !== undefined) return whyFailed(places, element);
  }
  if (error === 'index out of bounds' || error.startsWith('no such key')) {
    return { place, result: 'error', why: whyNoKey(places, place) };
  }
  const values = evaluated
    .filter((part) => !isLiteral(part.expression))
    .map((part) => isValue(places, part));
  return { place, result: 'error', why: [error, ...values, ...adviceOn(error)].join('; ') };
}

function isFailing(places: Places, place: Place): boolean {
  const outcome = places.evaluate(place);
  return 'error' in outcome && outcome.error !== NOT_LOOKED_INTO;
}

function adviceOn(error: string): readonly string[] {
  const isMixed = /^no such overload: (double [-+*/%] int|int [-+*/%] double|double % double)$/;
  return isMixed.test(error) ? ['numbers in JSON are doubles: write 1.0, or int(value)'] : [];
}

function isLiteral({ op, args }: Place['expression']): boolean {
  if (op === 'value') return true;
  const parts = partsOf({ op, args, start: 0, end: 0 });
  return (op === 'list' || op === 'map' || op === '-_') && parts.every(isLiteral);
}

/** `data.action is 'closed'` */
function isValue(places: Places, place: Place): string {
  const outcome = places.evaluate(place);
  const name = places.render.part(place.expression);
  if ('error' in outcome) return `${name}: ${outcome.error}`;
  return `${name} is ${places.render.value(place.expression, outcome.value)}`;
}
