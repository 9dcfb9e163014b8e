// Reads the first JSON value of a text and ignores what follows it. The end of the
// value is found by scanning, so that JSON.parse is given the value alone.

/** How deep a value may be nested. Bounds the recursion of whatever walks it afterwards. */
export const JSON_DEPTH_MAX = 1_000;

const BYTE_ORDER_MARK = 0xfeff;
const SPACES: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const QUOTE = '"'.charCodeAt(0);
const BACKSLASH = '\\'.charCodeAt(0);
const OPENING: ReadonlySet<number> = new Set(['{', '['].map((text) => text.charCodeAt(0)));
const CLOSING: ReadonlySet<number> = new Set(['}', ']'].map((text) => text.charCodeAt(0)));

/** A number as far as it goes; JSON.parse refuses one that breaks off, such as `1.`. */
const SCALAR = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d*)?(?:[eE][+-]?\d*)?/y;

/** The first JSON value in the text, or null if the text does not begin with one. */
export function firstJsonValue(text: string): unknown {
  const start = skipSpaces(text);
  const end = endOfValue(text, start);
  if (end === undefined) return null;
  try {
    return JSON.parse(text.slice(start, end)) as unknown;
  } catch {
    return null; // The brackets are balanced, what is between them is not JSON.
  }
}

function skipSpaces(text: string): number {
  let at = text.charCodeAt(0) === BYTE_ORDER_MARK ? 1 : 0;
  while (SPACES.has(text.charCodeAt(at))) at += 1;
  return at;
}

function endOfValue(text: string, start: number): number | undefined {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return endOfString(text, start);
  if (OPENING.has(first)) return endOfBrackets(text, start);
  SCALAR.lastIndex = start;
  return SCALAR.test(text) ? SCALAR.lastIndex : undefined;
}

function endOfString(text: string, start: number): number | undefined {
  for (let at = start + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at += 1;
  }
  return undefined;
}

function endOfBrackets(text: string, start: number): number | undefined {
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      if (end === undefined) return undefined;
      at = end;
      continue;
    }
    if (OPENING.has(code)) depth += 1;
    else if (CLOSING.has(code)) depth -= 1;
    at += 1;
    if (depth === 0) return at;
    if (depth > JSON_DEPTH_MAX) return undefined;
  }
  return undefined;
}
