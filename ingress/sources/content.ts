// The body of a verified request as plain data.

import { isFormType, joinRepeated } from '../../events/webhook-body.ts';
import { RequestError, type SourceRequest } from './source.ts';

/** How deep JSON may be nested. Bounds the recursion of whatever walks it afterwards. */
const JSON_DEPTH_MAX = 1_000;

/** What JSON begins with that has room for a text of somebody else's. A form has these escaped. */
const JSON_START = /^[\t\n\r ]*["[{]/;

/** How many fields a form may have: bounds the time that it takes to read, before it is verified too. */
const FORM_FIELDS_MAX = 10_000;

const AMPERSAND = '&'.charCodeAt(0);

/** A JSON object, or the fields of a form. */
export type Content = Readonly<Record<string, unknown>>;

/**
 * The body as JSON, all of it.
 *
 * @throws RequestError if it is no JSON in UTF-8, or nested too deep
 */
export function toJson(body: Uint8Array): unknown {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw new RequestError('the body is not JSON', { cause: error });
  }
  checkDepth(json, body.length);
  return json;
}

/** @throws RequestError if what is so long as JSON is nested too deep */
export function checkDepth(value: unknown, length: number): void {
  // What is shorter has no room for more brackets.
  const canBeDeep = length > 2 * JSON_DEPTH_MAX;
  if (canBeDeep && isDeeper(value, JSON_DEPTH_MAX))
    throw new RequestError(`the body is nested deeper than ${JSON_DEPTH_MAX}`);
}

/**
 * The body as a JSON object.
 *
 * @throws RequestError if it is anything else
 */
export function toObject(body: Uint8Array): Content {
  const json = toJson(body);
  if (isObject(json)) return json;
  throw new RequestError('the body is not a JSON object');
}

export function isObject(value: unknown): value is Content {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Whether the body is a form: the request says so, and it does not begin as JSON does. A signature is
 * over the body alone, so by its content type nobody is to have signed JSON read as something else.
 */
export function isForm({ headers, body }: Pick<SourceRequest, 'headers' | 'body'>): boolean {
  return isFormType(headers['content-type'] ?? '') && !JSON_START.test(toText(body));
}

/**
 * The fields of a form, in their order.
 *
 * @throws RequestError if they are more than 10,000
 */
export function toFields(body: Uint8Array): URLSearchParams {
  let fields = 1;
  for (let at = body.indexOf(AMPERSAND); at !== -1; at = body.indexOf(AMPERSAND, at + 1)) {
    fields += 1;
    if (fields > FORM_FIELDS_MAX) throw new RequestError(`more than ${FORM_FIELDS_MAX} fields`);
  }
  return new URLSearchParams(toText(body));
}

function toText(body: Uint8Array): string {
  return new TextDecoder().decode(body);
}

/** A form, or all JSON there is. Values of a field that comes several times are joined by `', '`. */
export function toContent(request: Pick<SourceRequest, 'headers' | 'body'>): unknown {
  return isForm(request) ? joinRepeated(toFields(request.body)) : toJson(request.body);
}

/**
 * A header that tells something of the event, and that no signature is over.
 *
 * @throws RequestError if it came more than once
 */
export function eventHeader(request: SourceRequest, name: string): string | undefined {
  if (!request.repeatedHeaders.has(name)) return request.headers[name] || undefined;
  throw new RequestError(`the header ${name} came more than once`);
}

/** @throws RequestError if it is missing, or came more than once */
export function requiredHeader(request: SourceRequest, name: string): string {
  const value = eventHeader(request, name);
  if (value !== undefined) return value;
  throw new RequestError(`the header ${name} is missing`);
}

/** What is at a key of the body itself, not of its prototype. */
export function valueAt(content: unknown, key: string): unknown {
  if (typeof content !== 'object' || content === null) return undefined;
  return Object.getOwnPropertyDescriptor(content, key)?.value;
}

/** The text at a key, if it is text and not empty. */
export function textAt(content: unknown, key: string): string | undefined {
  const value = valueAt(content, key);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/**
 * The text at a key of the body that names what happened.
 *
 * @throws RequestError if there is none
 */
export function typeAt(content: unknown, key: string): string {
  const type = textAt(content, key);
  if (type !== undefined) return type;
  throw new RequestError(`the body has no text at ${key}, which says what it is`);
}

/** The object without these keys, which hold what is to be kept nowhere. */
export function without(content: Content, keys: readonly string[]): Content {
  return Object.fromEntries(Object.entries(content).filter(([key]) => !keys.includes(key)));
}

/** Whether something is nested deeper than so many levels; it goes no deeper to find out. */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  const inner: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  return inner.some((one) => isDeeper(one, levels - 1));
}
