// Takes the literals out of a filter's text. Filters of many subscribers differ in
// nothing else, so what is left, the shape, is compiled once for all of them.
//
// This reads the text only as far as it is sure of it: what it leaves in the shape
// costs memory, what it took out wrongly would change what the filter means. Whoever
// compiles a shape holds every literal against the tree.

/** A string or a number. Whether a number is an int or a double, the shape says. */
export type Literal = string | number;

/** A filter's text in two parts. */
export interface Split {
  /** The text with a mark for each literal. The same for all filters of one shape. */
  readonly shape: string;
  readonly literals: readonly Literal[];
  /** Where in the text they begin. */
  readonly starts: readonly number[];
  /** Which of them are ints. */
  readonly ints: readonly boolean[];
}

/** Stands for a literal, before the name of its type. */
const MARK = '\u0001';

/** Begins a shape that is the whole text. */
const WHOLE = '\u0000';

/** A name, a string without escapes, what begins with a digit, or any other character. */
const TOKEN = /([A-Za-z_]\w*)|'([^'\r\n]*)'|"([^"\r\n]*)"|(\d[\w.]*)|[^\s\w]/g;

/** Longer numbers may not be what they seem: 2^53 has sixteen digits. */
const INT = /^\d{1,15}$/;
const DOUBLE = /^\d{1,8}\.\d{1,7}$/;

/**
 * Calls whose arguments may be exchanged. The others may depend on what a literal says already
 * when they are checked, as `matches` does.
 */
const CALLS: ReadonlySet<string> = new Set([
  'startsWith',
  'endsWith',
  'contains',
  'all',
  'exists',
  'exists_one',
  'filter',
  'map',
]);

/** Splits a filter's text. It may be no valid filter. */
export function splitLiterals(text: string): Split {
  return hasDoubt(text) ? toWhole(text) : (split(text) ?? toWhole(text));
}

function hasDoubt(text: string): boolean {
  return text.includes('\\') || text.includes(MARK) || text.includes(WHOLE);
}

/** Takes nothing out. */
export function toWhole(text: string): Split {
  return { shape: `${WHOLE}${text}`, literals: [], starts: [], ints: [] };
}

/** What stands before a token, as far as it tells what the token means. */
interface Before {
  readonly token: string;
  readonly end: number;
  /** Whether it is the end of a value, so that `[` is an index and `(` a call. */
  readonly isValue: boolean;
}

function split(text: string): Split | undefined {
  const literals: Literal[] = [];
  const starts: number[] = [];
  const ints: boolean[] = [];
  // For each bracket that is open, whether literals in it are taken out.
  const open = [true];
  let shape = '';
  let taken = 0;
  let before: Before = { token: '', end: 0, isValue: false };
  TOKEN.lastIndex = 0;
  for (let found = TOKEN.exec(text); found !== null; found = TOKEN.exec(text)) {
    const [token, name, single, double, digits] = found;
    const { index } = found;
    const string = single ?? double;
    const isLiteral = string !== undefined || digits !== undefined;
    if (isLiteral || name !== undefined) {
      // r'...', '''...''', and a quote or a comment of which only a part was understood
      if (before.isValue && before.end === index) return undefined;
    } else if (token === '"' || token === "'" || (token === '/' && before.token === '/')) {
      return undefined;
    }
    if ('([{'.includes(token)) open.push((open.at(-1) ?? false) && isOpening(token, before));
    else if (')]}'.includes(token)) open.pop();
    const literal = string ?? (before.token === '-' ? undefined : toNumber(digits));
    if (literal !== undefined && open.at(-1) === true) {
      literals.push(literal);
      starts.push(index);
      const type = string === undefined ? (INT.test(token) ? 'int' : 'double') : 'string';
      ints.push(type === 'int');
      shape += `${text.slice(taken, index)}${MARK}${type}`;
      taken = index + token.length;
    }
    const isValue = isLiteral || (name !== undefined && name !== 'in') || ')]}'.includes(token);
    before = { token, end: index + token.length, isValue };
  }
  return { shape: shape + text.slice(taken), literals, starts, ints };
}

/** Whether literals are taken out of what a bracket opens. */
function isOpening(bracket: string, before: Before): boolean {
  if (bracket === '{') return false;
  if (bracket === '[') return !before.isValue;
  return !before.isValue || CALLS.has(before.token);
}

function toNumber(digits: string | undefined): number | undefined {
  if (digits === undefined) return undefined;
  return INT.test(digits) || DOUBLE.test(digits) ? Number(digits) : undefined;
}
