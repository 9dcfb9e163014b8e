// Functions of the language that the CEL library lacks, or does not do as the language
// says. A function that the library has cannot be replaced: the filter's tree is made
// to call ours instead, by a name that filters themselves cannot use.

import type { Environment } from '@marcbachmann/cel-js';
import { Duration, type UnsignedInt } from '@marcbachmann/cel-js/evaluator';

import type { Budget } from './filter-budget.ts';
import { ValueError } from './filter-error.ts';
import { isComprehension, isExpanded, isExpression, partsOf, toCall } from './filter-expression.ts';
import type { Call, Expression } from './filter-expression.ts';
import { addSearches, SEARCHES } from './filter-search.ts';
import {
  INSTANT_PARTS,
  NANOSECONDS_MAX,
  NANOSECONDS_PER_SECOND,
  formatInstant,
  formatNanoseconds,
  isNewZone,
  parseInstant,
  parseNanoseconds,
  toInstant,
  toLocal,
} from './filter-time.ts';

/** What the names of the functions begin with that stand in for the library's. */
export const MENDED = 'mended_';

/** What looking up the rules of a time zone costs, in steps: its name may come from the event. */
const ZONE_STEPS = 5_000;

const TIMESTAMP = 'google.protobuf.Timestamp';
const DURATION = 'google.protobuf.Duration';

const INT_LIMIT = 2 ** 63;

const LETTERS = 26;

/** The bit that the two cases of a letter differ in. */
const CASE = 0x20;

const FUNCTIONS: ReadonlySet<string> = new Set([
  'timestamp',
  'duration',
  'int',
  'double',
  'string',
]);
const METHODS: ReadonlySet<string> = new Set(['lowerAscii', 'upperAscii']);

/** Read wrongly by the library even in UTC. */
const UTC_PARTS: ReadonlySet<string> = new Set(['getDayOfYear', 'getMilliseconds']);

/** A length of time whose sums are exact, and stay within what the language has. */
class ExactDuration extends Duration {
  static of(nanoseconds: bigint): ExactDuration {
    if (nanoseconds > NANOSECONDS_MAX || nanoseconds < -NANOSECONDS_MAX) {
      throw new ValueError('invalid duration');
    }
    // In whole seconds rounded down, as the library's own sums have it.
    const rest = nanoseconds % NANOSECONDS_PER_SECOND;
    const nanos = rest < 0n ? rest + NANOSECONDS_PER_SECOND : rest;
    return new ExactDuration((nanoseconds - nanos) / NANOSECONDS_PER_SECOND, Number(nanos));
  }

  override addDuration(other: Duration): Duration {
    return ExactDuration.of(nanosecondsOf(this) + nanosecondsOf(other));
  }

  override subtractDuration(other: Duration): Duration {
    return ExactDuration.of(nanosecondsOf(this) - nanosecondsOf(other));
  }

  override extendTimestamp(timestamp: Date): Date {
    return orRefuse(toInstant(timestamp.getTime() + millisecondsOf(this)), 'timestamp');
  }

  override subtractTimestamp(timestamp: Date): Date {
    return orRefuse(toInstant(timestamp.getTime() - millisecondsOf(this)), 'timestamp');
  }
}

// The CEL library recognises a type by its constructor, and takes no subclass.
Object.defineProperty(ExactDuration.prototype, 'constructor', { value: Duration });

/** Adds the functions to an environment of the library. */
export function registerMended(environment: Environment, budget: Budget): void {
  const add = (signature: string, handler: (...values: never[]) => unknown): void => {
    environment.registerFunction(signature, handler, { async: false });
  };
  addTime(add, budget);
  addSearches(add, MENDED, budget);
  addOrderOfBytes(environment);
  add(`${MENDED}has(dyn, string): bool`, hasKey);
  add(`${MENDED}int(int): int`, (value: bigint) => value);
  add(`${MENDED}int(uint): int`, (value: UnsignedInt) => toInt(value.valueOf()));
  add(`${MENDED}int(double): int`, doubleToInt);
  add(`${MENDED}int(string): int`, textToInt);
  add(`${MENDED}int(${TIMESTAMP}): int`, (value: Date) =>
    BigInt(Math.floor(value.getTime() / 1_000)),
  );
  add(`${MENDED}double(double): double`, (value: number) => value);
  add(`${MENDED}double(int): double`, Number);
  add(`${MENDED}double(uint): double`, Number);
  add(`${MENDED}double(string): double`, textToDouble);
  for (const type of ['string', 'bool', 'int', 'uint', 'double']) {
    add(`${MENDED}string(${type}): string`, toText);
  }
  add(`${MENDED}string(bytes): string`, bytesToText);
  add(`${MENDED}string(${TIMESTAMP}): string`, formatInstant);
  add(`${MENDED}string(${DURATION}): string`, (value: Duration) =>
    formatNanoseconds(nanosecondsOf(value)),
  );
  add(`string.${MENDED}lowerAscii(): string`, (text: string) => exchangeCase(text, 'A'));
  add(`string.${MENDED}upperAscii(): string`, (text: string) => exchangeCase(text, 'a'));
}

/** What the library lacks altogether. */
function addOrderOfBytes(environment: Environment): void {
  const orders: Readonly<Record<string, (order: number) => boolean>> = {
    '<': (order) => order < 0,
    '<=': (order) => order <= 0,
    '>': (order) => order > 0,
    '>=': (order) => order >= 0,
  };
  for (const [operator, isInOrder] of Object.entries(orders)) {
    const compare = (one: Uint8Array, other: Uint8Array): boolean =>
      isInOrder(Buffer.compare(one, other));
    environment.registerOperator(`bytes ${operator} bytes: bool`, compare);
  }
}

function addTime(
  add: (signature: string, handler: (...values: never[]) => unknown) => void,
  budget: Budget,
): void {
  add(`${MENDED}timestamp(string): ${TIMESTAMP}`, (text: string) =>
    orRefuse(parseInstant(text), 'timestamp'),
  );
  add(`${MENDED}timestamp(int): ${TIMESTAMP}`, (seconds: bigint) =>
    orRefuse(toInstant(Number(seconds) * 1_000), 'timestamp'),
  );
  add(`${MENDED}timestamp(${TIMESTAMP}): ${TIMESTAMP}`, (instant: Date) => instant);
  add(`${MENDED}duration(string): ${DURATION}`, (text: string) =>
    ExactDuration.of(orRefuse(parseNanoseconds(text), 'duration')),
  );
  add(`${MENDED}duration(${DURATION}): ${DURATION}`, (duration: Duration) => duration);
  add(
    `${DURATION}.${MENDED}getMilliseconds(): int`,
    (duration: Duration) => (nanosecondsOf(duration) % NANOSECONDS_PER_SECOND) / 1_000_000n,
  );
  for (const [name, part] of Object.entries(INSTANT_PARTS)) {
    add(`${TIMESTAMP}.${MENDED}${name}(): int`, (instant: Date) => BigInt(part(instant)));
    add(`${TIMESTAMP}.${MENDED}${name}(string): int`, (instant: Date, zone: string) => {
      if (isNewZone(zone)) budget.spend(ZONE_STEPS);
      return BigInt(part(orRefuse(toLocal(instant, zone), 'time zone')));
    });
  }
}

/** Makes a tree call the functions of this file. Done before it is checked or evaluated. */
export function mend(expression: Expression, toDyn: (expression: Expression) => Expression): void {
  for (const part of partsOf(expression)) mend(part, toDyn);
  if (!Array.isArray(expression.args)) return;
  const call = toCall(expression);
  if (call === undefined) {
    // To the library the sum is a duration, whatever is added to one.
    if (expression.op === '+' && isDuration(expression.args[0])) expression.args.reverse();
    return;
  }
  if (isReplaced(call)) expression.args[0] = `${MENDED}${call.name}`;
  const { receiver } = call;
  if (receiver === undefined || !isComprehension(call) || !hasEmptyLiteral(receiver)) return;
  // The library can not tell the type of what an empty list holds.
  expression.args[1] = toDyn(receiver);
  if (isExpanded(expression)) {
    const { args } = expression.meta.alternate;
    args.iterable = toDyn(args.iterable);
  }
}

function isReplaced({ name, receiver, parameters }: Call): boolean {
  if (receiver === undefined) return FUNCTIONS.has(name) && parameters.length === 1;
  if (METHODS.has(name)) return parameters.length === 0;
  if (SEARCHES.has(name)) return true;
  if (!Object.hasOwn(INSTANT_PARTS, name)) return false;
  return parameters.length === 1 || UTC_PARTS.has(name);
}

function isDuration(operand: unknown): boolean {
  return isExpression(operand) && toCall(operand)?.name === `${MENDED}duration`;
}

function hasEmptyLiteral(expression: Expression): boolean {
  if (expression.op !== 'list' && expression.op !== 'map') return false;
  const parts = partsOf(expression);
  return parts.length === 0 || parts.some(hasEmptyLiteral);
}

function nanosecondsOf({ seconds, nanos }: Duration): bigint {
  return seconds * NANOSECONDS_PER_SECOND + BigInt(nanos);
}

function millisecondsOf(duration: Duration): number {
  return Math.floor(Number(nanosecondsOf(duration)) / 1_000_000);
}

function doubleToInt(value: number): bigint {
  if (Number.isFinite(value) && Math.abs(value) < INT_LIMIT) return BigInt(Math.trunc(value));
  throw new ValueError('numeric overflow');
}

function toInt(value: bigint): bigint {
  if (value === BigInt.asIntN(64, value)) return value;
  throw new ValueError('numeric overflow');
}

function textToInt(text: string): bigint {
  const value = /^[+-]?\d{1,19}$/.test(text) ? BigInt(text.replace('+', '')) : undefined;
  if (value !== undefined && value === BigInt.asIntN(64, value)) return value;
  throw new ValueError('int conversion error');
}

function textToDouble(text: string): number {
  // Each text is read in one way only: two would be tried for every digit.
  if (/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  if (/^nan$/i.test(text)) return Number.NaN;
  const infinite = /^([+-]?)inf(inity)?$/i.exec(text);
  if (infinite === null) throw new ValueError('double conversion error');
  return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

function hasKey(holder: unknown, key: string): boolean {
  if (holder instanceof Map) return holder.get(key) !== undefined;
  const isMap = typeof holder === 'object' && holder !== null && !Array.isArray(holder);
  if (!isMap) throw new ValueError('has() looks into maps only');
  return Object.hasOwn(holder, key) && Reflect.get(holder, key) !== undefined;
}

function toText(value: unknown): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

/**
 * Exchanges the case of the letters from `first` on, an A. One by one: to search for them takes
 * more for each than the text pays for.
 */
function exchangeCase(text: string, first: 'A' | 'a'): string {
  const from = first.charCodeAt(0);
  // Two bytes each, of which the second is zero in a letter. It keeps what is no whole character.
  const bytes = Buffer.from(text, 'utf16le');
  for (let at = 0; at < bytes.length; at += 2) {
    const letter = (bytes[at] ?? 0) - from;
    if (letter >= 0 && letter < LETTERS && bytes[at + 1] === 0) bytes[at] = (letter + from) ^ CASE;
  }
  return bytes.toString('utf16le');
}

function bytesToText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ValueError('string conversion error');
  }
}

/** Never with the value in the message: it may be a secret of the event's. */
function orRefuse<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new ValueError(`invalid ${what}`);
  return value;
}
