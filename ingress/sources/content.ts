// The body of a verified request as plain data.

import { joinRepeated } from '../../events/webhook-body.ts';
import { RequestError, type SourceRequest } from './source.ts';

/** How deep JSON may be nested. Bounds the recursion of whatever walks it afterwards. */
const JSON_DEPTH_MAX = 1_000;

const FORM_TYPE = 'application/x-www-form-urlencoded';

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

/** Whether the request says that its body is a form. */
export function isForm({ headers }: Pick<SourceRequest, 'headers'>): boolean {
  return headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() === FORM_TYPE;
}

/** The fields of a form, in their order. */
export function toFields(body: Uint8Array): URLSearchParams {
  return new URLSearchParams(new TextDecoder().decode(body));
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
