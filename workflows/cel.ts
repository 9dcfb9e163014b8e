import { InvalidArgumentError } from './errors.ts';

/** A value that can stand in a filter as a literal. */
export type CelValue = string | number | bigint | boolean | null;

/** The signed 64-bit integers of CEL. */
const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;

/**
 * Builds a filter with values in it. Each value becomes one CEL literal, whatever it
 * contains: text from a user can never widen the filter.
 *
 * Safe integers and `bigint` become ints, other finite numbers doubles. The text around
 * the values is taken as written, backslashes included.
 *
 * @throws {@link InvalidArgumentError} for NaN, infinities, `undefined`, arrays and objects,
 * and for a value that stands inside a quoted string or a comment of the text.
 *
 * @example
 * const filter = cel`data.customer == ${name} && data.total > ${100}`;
 */
export function cel(strings: TemplateStringsArray, ...values: readonly CelValue[]): string {
  let filter = strings.raw[0] ?? '';
  for (const [index, value] of values.entries()) {
    if (!isOutsideQuotes(filter)) {
      throw new InvalidArgumentError(
        `value ${index + 1} of cel stands inside a quoted string or a comment: leave the quotes out`,
      );
    }
    filter += toLiteral(value) + (strings.raw[index + 1] ?? '');
  }
  return filter;
}

function toLiteral(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'bigint' && value >= INT_MIN && value <= INT_MAX) return parenthesise(value);
  if (typeof value === 'number' && Number.isFinite(value)) {
    if (Number.isSafeInteger(value)) return parenthesise(value + 0);
    const text = String(value);
    return parenthesise(/[.e]/.test(text) ? text : `${text}.0`);
  }
  const kind = typeof value === 'number' || typeof value === 'bigint' ? value : typeof value;
  throw new InvalidArgumentError(
    `cel takes strings, finite numbers, booleans and null as values, not ${kind}`,
  );
}

function parenthesise(number: number | bigint | string): string {
  const text = Object.is(number, -0) ? '0' : String(number);
  return text.startsWith('-') ? `(${text})` : text;
}

/** Both kinds of quotes are escaped, so that the value can not end any string. */
function quote(text: string): string {
  const escaped = text.replace(/[\\'"`\p{Cc}\u2028\u2029]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return `'${escaped}'`;
}

/** Whether the end of this CEL text is outside every string and comment. */
function isOutsideQuotes(text: string): boolean {
  // One token at a time: a comment, a string in one of CEL's eight forms, or one character.
  const token =
    /\/\/[^\n]*\n|[rR][bB]?"""[^]*?"""|[rR][bB]?'''[^]*?'''|[rR][bB]?"[^"\n]*"|[rR][bB]?'[^'\n]*'|"""(?:\\[^]|[^\\])*?"""|'''(?:\\[^]|[^\\])*?'''|"(?:\\[^]|[^\\"\n])*"(?!")|""(?!")|'(?:\\[^]|[^\\'\n])*'(?!')|''(?!')|[^'"/]|\/(?!\/)/y;
  let at = 0;
  while (at < text.length) {
    token.lastIndex = at;
    const match = token.exec(text);
    if (match === null) return false;
    at += match[0].length;
  }
  return true;
}
