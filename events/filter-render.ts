// A filter's parts and an event's values as words, for whoever asks why a filter did not
// match. Short, whatever they are, and without what a request proves itself with.

import type { Expression } from './filter-expression.ts';
import type { FilterInput } from './filter-input.ts';

/** Longest value, and longest part of a filter, that is shown, in characters. */
export const SHOWN_LENGTH_MAX = 80;

/** How many keys of a map are named. */
const KEYS_SHOWN_MAX = 10;

/** How deeply a value is shown, and how many elements at each level. */
const SHOWN_DEPTH_MAX = 3;
const SHOWN_ELEMENTS_MAX = 10;

const HIDDEN = '(hidden)';
const SECRET_LENGTH_MIN = 8;
const SECRET_NAME = /authorization|cookie/i;

/** Headers whose values are never shown, and nothing made of them. */
export function secretsOf({ data }: FilterInput): ReadonlySet<string> {
  const headers: unknown =
    typeof data === 'object' && data !== null ? Reflect.get(data, 'headers') : undefined;
  const secrets = new Set<string>();
  for (const [name, value] of entriesOf(headers)) {
    if (SECRET_NAME.test(name) && typeof value === 'string' && value !== '') secrets.add(value);
  }
  return secrets;
}

/** Shows the values of one event. */
export class Renderer {
  readonly #text: string;
  readonly #secrets: ReadonlySet<string>;

  constructor(text: string, secrets: ReadonlySet<string>) {
    this.#text = text;
    this.#secrets = secrets;
  }

  /** A part of the filter, as it was written. */
  part(expression: Expression): string {
    return shorten(this.#source(expression).replaceAll(/\s+/g, ' '));
  }

  /** What a part of the filter is. */
  value(expression: Expression, value: unknown): string {
    if (SECRET_NAME.test(this.#source(expression))) return HIDDEN;
    return shorten(this.#show(value, 0));
  }

  /** The keys of a map, some of them. */
  keys(value: unknown): string {
    const keys = entriesOf(value).map(([key]) => shorten(escape(key)));
    const more = keys.length - KEYS_SHOWN_MAX;
    return `${keys.slice(0, KEYS_SHOWN_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  }

  /** The parentheses around what a part begins or ends with are not in its range. */
  #source({ start, end }: Expression): string {
    let [from, to] = [start, end];
    let open = 0;
    let missing = 0;
    for (const [character] of this.#text.slice(start, end).matchAll(TOKEN)) {
      if (character === '(') open++;
      else if (character === ')' && open > 0) open--;
      else if (character === ')') missing++;
    }
    while (missing > 0 && from > 0) if (this.#text[--from] === '(') missing--;
    while (open > 0 && to < this.#text.length) if (this.#text[to++] === ')') open--;
    return this.#text.slice(from, to);
  }

  #isSecret(text: string): boolean {
    for (const secret of this.#secrets) {
      if (text === secret) return true;
      // Something short may be in any text by chance.
      if (secret.length >= SECRET_LENGTH_MIN && text.includes(secret)) return true;
      if (text.length >= SECRET_LENGTH_MIN && secret.includes(text)) return true;
    }
    return false;
  }

  #show(value: unknown, depth: number): string {
    if (typeof value === 'string') return this.#isSecret(value) ? HIDDEN : quote(value);
    if (typeof value !== 'object' || value === null) return String(value);
    if (value instanceof Date) return `timestamp('${value.toISOString()}')`;
    if (value instanceof Uint8Array) return `${value.length} bytes`;
    if (Array.isArray(value)) {
      if (depth >= SHOWN_DEPTH_MAX) return `[${value.length} elements]`;
      const shown = value.slice(0, SHOWN_ELEMENTS_MAX).map((each) => this.#show(each, depth + 1));
      return `[${shown.join(', ')}${value.length > shown.length ? ', …' : ''}]`;
    }
    if (!isMap(value)) return String(value);
    if (depth >= SHOWN_DEPTH_MAX) return '{…}';
    const entries = entriesOf(value);
    const shown = entries
      .slice(0, SHOWN_ELEMENTS_MAX)
      .map(([key, held]) =>
        SECRET_NAME.test(key)
          ? `${quote(key)}: ${HIDDEN}`
          : `${quote(key)}: ${this.#show(held, depth + 1)}`,
      );
    return `{${shown.join(', ')}${entries.length > shown.length ? ', …' : ''}}`;
  }
}

/** A string of the filter, or one character. Comments do not come within a part's ends. */
const TOKEN = /[rb]*("""[^]*?"""|'''[^]*?'''|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|[^]/gi;

/** Bounds text that is shown. */
export function shorten(text: string, length = SHOWN_LENGTH_MAX): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

export function isMap(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return value instanceof Map || prototype === Object.prototype || prototype === null;
}

export function entriesOf(value: unknown): ReadonlyArray<readonly [key: string, value: unknown]> {
  if (value instanceof Map) return [...value].map(([key, held]) => [String(key), held] as const);
  return isMap(value) ? Object.entries(value) : [];
}

function quote(text: string): string {
  return `'${escape(text).replaceAll("'", String.raw`\'`)}'`;
}

/** In one line, and nothing that a terminal would act on. */
function escape(text: string): string {
  const escaped = JSON.stringify(text.slice(0, SHOWN_LENGTH_MAX)).slice(1, -1);
  return escaped
    .replaceAll(String.raw`\"`, '"')
    .replaceAll(/[\u007f-\u009f\u2028\u2029]/g, (character) => {
      return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
    });
}
