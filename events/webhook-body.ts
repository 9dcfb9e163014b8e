// The body of a webhook event, stored once and read in four ways. What travels and
// is kept in workflow history is the stored form; text, bytes, json and form are
// derived from it where they are read, and serialise to the stored form again.
//
// This file also runs in workflows, where there is no Buffer and no atob.

import { decode, fromUint8Array, toUint8Array } from 'js-base64';

import { isEvent, type Event } from './event.ts';
import { firstJsonValue } from './first-json-value.ts';

/** The key that marks a stored body. User JSON is inside `content`, so it cannot pose as one. */
const MARK = 'nextevent:body';

const FORM_METHODS: readonly unknown[] = ['POST', 'PUT', 'PATCH'];
const FORM_TYPE = 'application/x-www-form-urlencoded';

/**
 * How `content` holds the bytes of a body. `utf8-base64` is valid UTF-8 that escaping for JSON
 * would make longer than base64 does.
 */
type BodyEncoding = 'none' | 'utf8' | 'utf8-base64' | 'base64';

const ENCODINGS: readonly unknown[] = ['none', 'utf8', 'utf8-base64', 'base64'];

/** Base64 as it is written here, but for its length: no character has bits that are of no byte. */
const BASE64 = /^[A-Za-z\d+/]*(?:[AQgw]==|[AEIMQUYcgkosw048]=)?$/;

/** The body of a webhook as it travels and is kept. */
export interface StoredBody {
  readonly [MARK]: BodyEncoding;
  readonly content: string;
}

/** The body of a webhook as filters and workflows read it. All four are null if it is empty. */
export interface WebhookBody {
  /** The body, or null if it is not valid UTF-8. */
  readonly text: string | null;
  readonly bytes: Uint8Array | null;
  /**
   * The first JSON value in the body, whatever its content type says and whatever follows it.
   * Null if the body does not begin with JSON.
   */
  readonly json: unknown;
  /**
   * The fields of an urlencoded POST, PUT or PATCH, null for any other request. The values of a
   * field that is given several times are joined by `', '`.
   */
  readonly form: Readonly<Record<string, string>> | null;
}

/** The address that a webhook request was sent to. */
export interface WebhookUrl {
  /** The decoded path, from `/webhooks/` on. */
  readonly path: string;
  /** What follows the source's name in the decoded path; empty if nothing does. */
  readonly path_suffix: string;
  /** The query parameters; values of one that is given several times are joined by `', '`. */
  readonly query: Readonly<Record<string, string>>;
  /** Path and query exactly as received. */
  readonly raw: string;
}

/** The `data` of an event of the generic webhook source: the HTTP request. */
export interface WebhookData {
  /** The HTTP method, in upper case. */
  readonly method: string;
  readonly url: WebhookUrl;
  /** By lower-case name, without `host`; repeated headers are joined by `', '`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: WebhookBody;
}

/** The stored form of the bytes of a request. */
export function storeBody(bytes: Uint8Array): StoredBody {
  if (bytes.length === 0) return { [MARK]: 'none', content: '' };
  const text = decodeUtf8(bytes);
  if (text === null) return { [MARK]: 'base64', content: fromUint8Array(bytes) };
  // Control characters and quotes take up to six bytes in JSON: a body within
  // its limit would be an event above Temporal's.
  const escapedBytes = bytes.length + JSON.stringify(text).length - text.length - 2;
  if (escapedBytes > base64Length(bytes.length)) {
    return { [MARK]: 'utf8-base64', content: fromUint8Array(bytes) };
  }
  return { [MARK]: 'utf8', content: text };
}

/** The body of a request as filters and workflows read it; one that is no form has none. */
export function toWebhookBody(
  request: Pick<WebhookData, 'method' | 'headers'>,
  bytes: Uint8Array,
  isForm: boolean,
): WebhookBody {
  return deriveBody(storeBody(bytes), isForm && hasForm({ ...request }));
}

/** Whether data has a stored body, or something that would be taken for one. */
export function hasStoredBody(data: unknown): boolean {
  return isRecord(data) && isStoredBody(data.body);
}

/** Whether data has what would be taken for a stored body, and can not be read as one. */
export function hasUnreadableBody(data: unknown): boolean {
  return isRecord(data) && isStoredBody(data.body) && !isReadable(data.body);
}

/** The event with its body derived, or the same event if it has no stored body. */
export function deriveEvent<T>(event: Event<T>): Event<T> {
  const data: unknown = event.data;
  if (!isRecord(data) || !isStoredBody(data.body)) return event;
  const derived = { ...data, body: deriveBody(data.body, hasForm(data)) };
  // Of the same type, because that is what T says of a body: how it reads.
  return Object.defineProperty({ ...event }, 'data', { value: derived });
}

/** The body of a webhook that this data has, stored or derived. */
export function bodyOf(data: unknown): WebhookBody | undefined {
  if (!isRecord(data)) return undefined;
  if (isStoredBody(data.body)) return deriveBody(data.body, hasForm(data));
  return isDerived(data.body) ? data.body : undefined;
}

/** An argument of a workflow or an activity: a stored event derived, anything else as it is. */
export function deriveArgument(value: unknown): unknown {
  return isEvent(value) ? deriveEvent(value) : value;
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    // A byte order mark is part of the bytes, so it stays.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null; // Not UTF-8 is a value here: the bytes are kept as base64.
  }
}

function base64Length(bytes: number): number {
  return Math.ceil(bytes / 3) * 4;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isStoredBody(value: unknown): value is StoredBody {
  return isRecord(value) && ENCODINGS.includes(value[MARK]) && typeof value.content === 'string';
}

function isReadable({ [MARK]: encoding, content }: StoredBody): boolean {
  if (encoding === 'none') return content === '';
  if (encoding === 'utf8') return true;
  if (content.length % 4 !== 0 || !BASE64.test(content)) return false;
  return encoding === 'base64' || decodeUtf8(toUint8Array(content)) !== null;
}

/** Only a body that was derived has a function: other data was JSON. */
function isDerived(value: unknown): value is WebhookBody {
  return isRecord(value) && typeof value.toJSON === 'function';
}

/** Whether the request is of a kind whose body is read as a form. */
function hasForm(data: Record<string, unknown>): boolean {
  const type = isRecord(data.headers) ? data.headers['content-type'] : undefined;
  return typeof type === 'string' && FORM_METHODS.includes(data.method) && isFormType(type);
}

/** Whether a content type is that of a form, whatever its parameters are. */
export function isFormType(contentType: string): boolean {
  return contentType.split(';', 1)[0]?.trim().toLowerCase() === FORM_TYPE;
}

function deriveBody(stored: StoredBody, hasFields: boolean): WebhookBody {
  const text = once(() => toText(stored));
  const bytes = once(() => toBytes(stored));
  const json = once(() => toJson(text()));
  const form = once(() => (hasFields ? toForm(text()) : null));
  const body: WebhookBody = {
    get text() {
      return text();
    },
    get bytes() {
      return bytes();
    },
    get json() {
      return json();
    },
    get form() {
      return form();
    },
  };
  return Object.defineProperty(body, 'toJSON', { value: () => stored });
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function toText({ [MARK]: encoding, content }: StoredBody): string | null {
  if (encoding === 'utf8') return content;
  return encoding === 'utf8-base64' ? decode(content) : null;
}

function toBytes({ [MARK]: encoding, content }: StoredBody): Uint8Array | null {
  if (encoding === 'none') return null;
  if (encoding !== 'utf8') return toUint8Array(content);
  // A copy, because in a workflow the encoder's arrays are of another realm.
  return Uint8Array.from(new TextEncoder().encode(content));
}

function toJson(text: string | null): unknown {
  return text === null ? null : firstJsonValue(text);
}

function toForm(text: string | null): Record<string, string> | null {
  return text === null ? null : joinRepeated(new URLSearchParams(text));
}

/** A map of pairs; the values of a name that comes several times are joined by `', '`. */
export function joinRepeated(pairs: Iterable<readonly [string, string]>): Record<string, string> {
  const values = new Map<string, string>();
  for (const [name, value] of pairs) {
    const before = values.get(name);
    values.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  // fromEntries defines properties, so a field called `__proto__` is only a field.
  return Object.fromEntries(values);
}
