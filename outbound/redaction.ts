// Keeps secrets out of what is on record, wherever they turn up: a receiver may send back what it
// got, and an event may have in its data what a header has.
//
// Writers differ in what they escape, and in how: PHP writes `\/`, and .NET `\u002B`. So a text is
// read as it is, as JSON and as part of a URL, and a secret is looked for in what comes of it.

const HIDDEN = '***';

/**
 * So far beyond the end of what is kept a secret is looked for, in bytes as it is written there: one of
 * 5 KiB may be escapes of six characters each.
 */
const SECRET_BYTES_MAX = 32 * 1024;

const JSON_ESCAPE =
  /\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u[\da-fA-F]{4}|["\\/bfnrt])/g;
const URL_ESCAPE = /%[\da-fA-F]{2}/g;
const FORM_ESCAPE = /%[\da-fA-F]{2}|\+/g;

/** Where something is: from there, and up to there. */
type Span = readonly [from: number, to: number];

/** What comes of a text, and where its characters are in what was written. */
interface Reading {
  readonly text: string;
  readonly placeOf: (at: number) => number;
}

/** Replaces every secret of a configuration by `***`, however it is written. */
export class Redaction {
  readonly #secrets: RegExp | undefined;

  constructor(secrets: Iterable<string | undefined>) {
    const values = [...secrets].filter((value) => value !== undefined && value !== '');
    const forms = [...new Set(values.flatMap((value) => formsOf(value as string)))];
    // Longer ones first: one may begin with another.
    forms.sort((one, other) => other.length - one.length);
    this.#secrets = toPattern(forms.map(toBytes));
  }

  redact(text: string): string {
    const bytes = toBytes(text);
    const redacted = this.#hide(bytes, bytes.length);
    return redacted === bytes ? text : Buffer.from(redacted, 'latin1').toString();
  }

  redactAll(headers: Readonly<Record<string, string>>): Record<string, string> {
    return Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, this.redact(value)]),
    );
  }

  /**
   * The start of a body: what it has of its first so many bytes. A secret that goes past the end of
   * these is replaced whole.
   */
  start(
    body: string | Uint8Array,
    bytesMax: number,
  ): { readonly body: string; readonly isCut: boolean } {
    const bytes = Buffer.from(body as Uint8Array);
    const isCut = bytes.length > bytesMax;
    const read = bytes.toString('latin1', 0, bytesMax + SECRET_BYTES_MAX);
    const redacted = this.#hide(read, bytesMax);
    return { body: toUtf8(Buffer.from(redacted, 'latin1'), isCut), isCut };
  }

  /** What there is of the first so many bytes. */
  #hide(bytes: string, bytesMax: number): string {
    let redacted = '';
    let end = 0;
    for (const [from, to] of this.#find(bytes)) {
      if (from >= bytesMax) break;
      // What overlaps is hidden as one.
      if (from >= end) redacted += bytes.slice(end, from) + HIDDEN;
      end = Math.max(end, to);
    }
    return redacted + bytes.slice(end, Math.max(end, bytesMax));
  }

  /** Where secrets are, in the order in which they begin. */
  #find(bytes: string): readonly Span[] {
    const secrets = this.#secrets;
    if (secrets === undefined) return [];
    const spans = readingsOf(bytes).flatMap(({ text, placeOf }) =>
      Array.from(text.matchAll(secrets), ({ 0: found, index }): Span => {
        return [placeOf(index), placeOf(index + found.length)];
      }),
    );
    return spans.toSorted(([one], [other]) => one - other);
  }
}

/** As it is, in base64, and the key of `whsec_` alone. */
function formsOf(secret: string): readonly string[] {
  const key = /^wh(?:sec|sk)_(.+)$/.exec(secret)?.[1];
  return [secret, Buffer.from(secret).toString('base64'), ...(key === undefined ? [] : [key])];
}

function toPattern(forms: readonly string[]): RegExp | undefined {
  if (forms.length === 0) return undefined;
  return new RegExp(
    forms.map((form) => form.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)).join('|'),
    'g',
  );
}

/** One character per byte, so that places in the text are places in the body. */
function toBytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function readingsOf(bytes: string): readonly Reading[] {
  return [
    { text: bytes, placeOf: (at) => at },
    ...readAs(bytes, JSON_ESCAPE, (escape) => toBytes(JSON.parse(`"${escape}"`) as string)),
    ...readAs(bytes, URL_ESCAPE, toByte),
    ...readAs(bytes, FORM_ESCAPE, (escape) => (escape === '+' ? ' ' : toByte(escape))),
  ];
}

function toByte(escape: string): string {
  return String.fromCharCode(Number.parseInt(escape.slice(1), 16));
}

/** Without its escapes, if it has any. */
function readAs(bytes: string, escapes: RegExp, decode: (escape: string) => string): Reading[] {
  const places: number[] = [];
  let text = '';
  let end = 0;
  const keep = (upTo: number): void => {
    text += bytes.slice(end, upTo);
    for (let at = end; at < upTo; at += 1) places.push(at);
  };
  for (const { 0: escape, index } of bytes.matchAll(escapes)) {
    keep(index);
    const decoded = decode(escape);
    text += decoded;
    for (let count = 0; count < decoded.length; count += 1) places.push(index);
    end = index + escape.length;
  }
  if (end === 0) return [];
  keep(bytes.length);
  return [{ text, placeOf: (at) => places[at] ?? bytes.length }];
}

/** What is not UTF-8 is replaced, but for a character that was cut in two, which goes. */
function toUtf8(bytes: Buffer, isCut: boolean): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes, { stream: isCut });
}
