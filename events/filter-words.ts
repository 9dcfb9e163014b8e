// What is wrong with a filter, or with its evaluation, in the words of whoever wrote it.

import { EvaluationError, ParseError, TypeError } from '@marcbachmann/cel-js';

import { BOUNDED } from './filter-bounds.ts';
import { BudgetError } from './filter-budget.ts';
import { FilterError, toFilterError, ValueError } from './filter-error.ts';
import { MENDED } from './filter-functions.ts';
import { suggest, suggestAt } from './filter-hints.ts';
import { FILTER_DEPTH_MAX, FILTER_NODES_MAX } from './filter-language.ts';
import { PatternError } from './filter-regex.ts';

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
  [/\bDOT\b/, "'.'"],
  [/\bRPAREN\b/, "')'"],
  [/\bLPAREN\b/, "'('"],
  [/\bRBRACKET\b/, "']'"],
  [/\bRBRACE\b/, "'}'"],
  [new RegExp(BOUNDED.matches), 'matches'],
  [new RegExp(`\\b${MENDED}`), ''],
  [/\bdyn<(\w+(?:<[^>]*>)?)>/g, '$1'],
];

/** Why a filter can not be compiled. */
export function toRefusal(text: string, error: unknown): FilterError {
  if (error instanceof FilterError) return error;
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

/** Says why a filter could not be evaluated, without a word of what the event holds. */
export function toFailure(error: unknown, text: string): string {
  if (error instanceof BudgetError) return `it takes ${error.message}`;
  if (error instanceof PatternError) return 'invalid regular expression';
  if (error instanceof ValueError) return error.message;
  if (!(error instanceof EvaluationError)) return 'the event cannot be read';
  if (WORDED.has(error.code)) return inWords(error.summary);
  const key = /^No such key: (.*)$/.exec(error.summary)?.[1];
  // A key may itself have come from the event; one that the filter names has not.
  if (error.code === 'no_such_key' && key !== undefined && text.includes(key)) {
    return `no such key: ${key}`;
  }
  return error.code.replaceAll('_', ' ');
}

/** The name that the language has for the type of a value. */
export function typeName(result: unknown): string {
  if (result === null) return 'null';
  if (typeof result === 'bigint') return 'int';
  if (typeof result === 'number') return 'double';
  if (Array.isArray(result)) return 'list';
  if (result instanceof Date) return 'timestamp';
  if (result instanceof Uint8Array) return 'bytes';
  return typeof result === 'object' ? 'map' : typeof result;
}
