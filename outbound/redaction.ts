// Keeps secrets out of what is on record, wherever they turn up: a receiver may send back what it
// got, and an event may have in its data what a header has.

const HIDDEN = '***';

/** So far beyond the end of what is kept a secret is looked for, in bytes. */
const SECRET_BYTES_MAX = 32 * 1024;

/** Replaces every secret of a configuration by `***`, in the forms in which it may be written. */
export class Redaction {
  readonly #text: RegExp | undefined;
  readonly #bytes: RegExp | undefined;

  constructor(secrets: Iterable<string | undefined>) {
    const values = [...secrets].filter((value) => value !== undefined && value !== '');
    const forms = [...new Set(values.flatMap((value) => formsOf(value as string)))];
    // Longer ones first: one may begin with another.
    forms.sort((one, other) => other.length - one.length);
    this.#text = toPattern(forms);
    this.#bytes = toPattern(forms.map((form) => Buffer.from(form).toString('latin1')));
  }

  redact(text: string): string {
    return this.#text === undefined ? text : text.replace(this.#text, HIDDEN);
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
    // One character per byte, so that places in the text are places in the body.
    const text = bytes.toString('latin1', 0, bytesMax + SECRET_BYTES_MAX);
    let redacted = '';
    let end = 0;
    for (const { 0: found, index } of this.#bytes ? text.matchAll(this.#bytes) : []) {
      if (index >= bytesMax) break;
      redacted += text.slice(end, index) + HIDDEN;
      end = index + found.length;
    }
    redacted += text.slice(end, Math.max(end, bytesMax));
    return { body: toUtf8(Buffer.from(redacted, 'latin1'), isCut), isCut };
  }
}

/** As it is, in JSON, in a URL, in base64, and the key of `whsec_` alone. */
function formsOf(secret: string): readonly string[] {
  const key = /^wh(?:sec|sk)_(.+)$/.exec(secret)?.[1];
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64'),
    ...(key === undefined ? [] : [key]),
  ];
}

function toPattern(forms: readonly string[]): RegExp | undefined {
  if (forms.length === 0) return undefined;
  return new RegExp(
    forms.map((form) => form.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)).join('|'),
    'g',
  );
}

/** What is not UTF-8 is replaced, but for a character that was cut in two, which goes. */
function toUtf8(bytes: Buffer, isCut: boolean): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes, { stream: isCut });
}
