// The conformance suite of CEL (from `@bufbuild/cel-spec`, Apache-2.0): its cases, sorted
// into those that apply to filters, whose data is JSON, and those that do not.

import { tests } from '@bufbuild/cel-spec/testdata/conformance.js';

import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';

import { FILTER_LENGTH_MAX } from '../events/filter.ts';

/** One case of the suite. */
export interface SuiteCase {
  /** Where it stands: `timestamps/timestamp_range/from_string_under`. */
  readonly name: string;
  readonly expression: string;
  readonly variables: Readonly<Record<string, unknown>>;
  /** The value that the language gives, in words; `error` for a case that must fail. */
  readonly expected: string;
}

export interface Suite {
  readonly cases: readonly SuiteCase[];
  /** How many do not apply, by reason. */
  readonly skipped: ReadonlyMap<string, number>;
}

interface Original {
  readonly name?: string;
  readonly expr: string;
  readonly container?: string;
  readonly checkOnly?: boolean;
  readonly bindings?: Readonly<Record<string, { readonly value: Encoded }>>;
  readonly value?: Encoded;
  readonly typedResult?: { readonly result?: Encoded };
  readonly evalError?: unknown;
}

/** A value as Protocol Buffers have it in JSON: one key, which says the type. */
type Encoded = Readonly<Record<string, unknown>>;

interface Section {
  readonly name: string;
  readonly suites?: readonly Section[];
  readonly tests?: ReadonlyArray<{ readonly original: Original }>;
}

/** Parts of the suite that are about something else than values, and why each is left out. */
const OTHER_PARTS: ReadonlyMap<string, string> = new Map([
  ['proto2', 'protobuf messages'],
  ['proto2_ext', 'protobuf messages'],
  ['proto3', 'protobuf messages'],
  ['dynamic', 'protobuf messages'],
  ['wrappers', 'protobuf messages'],
  ['enums', 'protobuf enums'],
  ['namespace', 'names with dots, of protobuf packages'],
  ['block_ext', 'an extension: what optimisers write'],
  ['encoders_ext', 'an extension: base64'],
  ['macros2', 'an extension: macros of two variables'],
  ['math_ext', 'an extension: math'],
  ['optionals', 'an extension: optional values'],
]);

const MESSAGES = /TestAllTypes|NestedTestAllTypes|google\.protobuf\.\w+\s*\{|proto[23]\b/;

/** Of the extension of strings, what filters do not have. */
const OTHER_STRINGS = /\.(charAt|replace|reverse|format)\(|strings\.quote/;

export function loadSuite(): Suite {
  const cases: SuiteCase[] = [];
  const skipped = new Map<string, number>();
  for (const [name, original] of originalsOf(tests, [])) {
    const reason = whySkipped(name, original);
    if (reason !== undefined) skipped.set(reason, (skipped.get(reason) ?? 0) + 1);
    else cases.push(toCase(name, original));
  }
  return { cases, skipped };
}

function* originalsOf(
  section: Section,
  above: readonly string[],
): Iterable<readonly [name: string, original: Original]> {
  for (const { original } of section.tests ?? []) {
    yield [[...above, original.name].join('/'), original];
  }
  for (const inner of section.suites ?? []) yield* originalsOf(inner, [...above, inner.name]);
}

function whySkipped(name: string, original: Original): string | undefined {
  const [part = ''] = name.split('/');
  const { expr, bindings = {}, checkOnly, value, evalError, typedResult } = original;
  if (OTHER_PARTS.has(part)) return OTHER_PARTS.get(part);
  if (MESSAGES.test(expr) || JSON.stringify([value, bindings]).includes('TestAllTypes')) {
    return 'protobuf messages';
  }
  if (JSON.stringify([value ?? typedResult, bindings]).includes('enumValue')) {
    return 'protobuf enums';
  }
  if (part === 'string_ext' && OTHER_STRINGS.test(expr)) return 'an extension: more of strings';
  if (Object.keys(bindings).some((variable) => variable.includes('.'))) {
    return 'names with dots, of protobuf packages';
  }
  if (/\boptional\.|\?\./.test(expr)) return 'an extension: optional values';
  if (expr.length > FILTER_LENGTH_MAX) return 'longer than a filter';
  const isEvaluated = value !== undefined || evalError !== undefined;
  if (checkOnly || (!isEvaluated && typedResult?.result === undefined)) {
    return 'types that are only deduced';
  }
  return undefined;
}

function toCase(name: string, original: Original): SuiteCase {
  const { expr, bindings = {}, value, typedResult, evalError } = original;
  const variables = Object.entries(bindings).map(
    ([variable, bound]) => [variable, decode(bound.value)] as const,
  );
  return {
    name,
    expression: expr,
    variables: Object.fromEntries(variables),
    expected: evalError ? 'error' : inWords(decode(value ?? typedResult?.result ?? {})),
  };
}

/** Stands for a value that JavaScript has nothing for. */
class Named {
  readonly words: string;

  constructor(words: string) {
    this.words = words;
  }
}

function decode(encoded: Encoded): unknown {
  const [[type, value] = ['', undefined]] = Object.entries(encoded);
  switch (type) {
    case 'int64Value':
      return BigInt(String(value));
    case 'uint64Value':
      return new UnsignedInt(BigInt(String(value)));
    case 'doubleValue':
      return Number(value);
    case 'bytesValue':
      return Uint8Array.from(Buffer.from(String(value), 'base64'));
    case 'listValue':
      return ((value as { values?: Encoded[] }).values ?? []).map(decode);
    case 'mapValue': {
      const { entries = [] } = value as { entries?: Array<{ key: Encoded; value: Encoded }> };
      return new Map(entries.map((entry) => [decode(entry.key), decode(entry.value)]));
    }
    case 'typeValue':
      return new Named(`type ${String(value)}`);
    case 'objectValue':
      return decodeObject(value as Readonly<Record<string, unknown>>);
    default:
      return value;
  }
}

function decodeObject({ '@type': type, value }: Readonly<Record<string, unknown>>): unknown {
  const text = String(value);
  const [, sign, whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?s$/.exec(text) ?? [];
  if (String(type).endsWith('.Timestamp')) return new Date(text);
  if (!String(type).endsWith('.Duration')) return new Named(`${String(type)} ${text}`);
  const nanos = Number(fraction.padEnd(9, '0'));
  return sign === '-' ? new Duration(-BigInt(whole), -nanos) : new Duration(BigInt(whole), nanos);
}

/** A value with its type, as text that can be compared. */
export function inWords(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `int ${value}`;
  if (typeof value === 'number') return `double ${value}`;
  if (value instanceof Named) return value.words;
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
  if (value instanceof Date) return `timestamp ${value.toISOString().replace(/\.?0*Z$/, 'Z')}`;
  if (Array.isArray(value)) return `[${value.map(inWords).join(', ')}]`;
  if (typeof value !== 'object') return typeof value;
  if (value instanceof UnsignedInt) return `uint ${String(value)}`;
  if (value instanceof Duration) {
    return `duration ${value.seconds * 1_000_000_000n + BigInt(value.nanos)}ns`;
  }
  if (value.constructor.name === 'Type') return `type ${typeNameOf(value)}`;
  const entries: Array<readonly [unknown, unknown]> =
    value instanceof Map ? [...value] : Object.entries(value);
  const words = entries.map(([key, held]) => `${inWords(key)}: ${inWords(held)}`);
  return `{${words.toSorted().join(', ')}}`;
}

function typeNameOf(type: object): string {
  const name = 'name' in type ? String(type.name) : '';
  return name === 'null' ? 'null_type' : name;
}
