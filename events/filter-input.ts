// What a filter sees of an event. Nothing is copied before a filter asks for it:
// a body that no filter reads is never decoded.

import type { Event } from './event.ts';

/** The variables of a filter, made once for an event. */
export interface FilterInput extends Readonly<Record<string, unknown>> {
  readonly event_type: string;
  readonly data: unknown;
  readonly event: Readonly<Record<string, string>>;
}

/** The attributes of an event that filters read as `event.id`, `event.source`, ... */
export const EVENT_ATTRIBUTES: readonly string[] = ['id', 'source', 'type', 'time', 'subject'];

/** Shows an event to filters. */
export function toFilterInput(event: Event): FilterInput {
  const { id, source, type, time, subject } = event;
  const attributes: Record<string, string> = { id, source, type, time };
  if (subject !== undefined) attributes['subject'] = subject;
  return { event_type: type, data: withHeaders(event.data ?? null), event: attributes };
}

/** Computed when they are read: a body is decoded only for a filter that names the form. */
const BODY_FORMS: readonly string[] = ['text', 'bytes', 'json', 'form'];

const rewritten = new WeakMap<FilterInput, Map<string, FilterInput | false>>();

/**
 * The same input, readable where an object of its data has a key `constructor`: the
 * CEL library takes that for the object's class. As maps, such objects are safe.
 *
 * @returns `undefined` when what the filter can read has no such object.
 */
export function withoutConstructors(
  input: FilterInput,
  filterText: string,
): FilterInput | undefined {
  const forms = BODY_FORMS.filter((form) => filterText.includes(form));
  const results = rewritten.get(input) ?? new Map<string, FilterInput | false>();
  rewritten.set(input, results);
  const result = results.get(forms.join()) ?? rewrite(input, new Set(forms));
  results.set(forms.join(), result);
  return result === false ? undefined : result;
}

function rewrite(input: FilterInput, forms: ReadonlySet<string>): FilterInput | false {
  try {
    if (!hasConstructorKey(input.data, forms)) return false;
    return { ...input, data: toMaps(input.data, forms) };
  } catch {
    // Nested too deeply to look through: the filter's own error stands.
    return false;
  }
}

/** Header names are the same in any case, and are kept in lower case. */
class Headers extends Map<unknown, unknown> {
  override get(name: unknown): unknown {
    return super.get(typeof name === 'string' ? name.toLowerCase() : name);
  }

  override has(name: unknown): boolean {
    return super.has(typeof name === 'string' ? name.toLowerCase() : name);
  }
}

// The CEL library recognises a map by its constructor, and takes no subclass.
Object.defineProperty(Headers.prototype, 'constructor', { value: Map });

function withHeaders(data: unknown): unknown {
  if (!isWebhookRequest(data)) return data;
  const { headers } = data;
  const lowered = Object.entries(headers).map(
    ([name, value]) => [name.toLowerCase(), value] as const,
  );
  // The descriptors, not the values: a property that is computed when read stays one.
  return Object.defineProperties(
    {},
    {
      ...Object.getOwnPropertyDescriptors(data),
      headers: { value: new Headers(lowered), enumerable: true },
    },
  );
}

interface WebhookRequest {
  readonly headers: object;
}

/** Whether the data is the request that a generic webhook received. */
function isWebhookRequest(data: unknown): data is WebhookRequest {
  if (!isPlainObject(data) || typeof own(data, 'method') !== 'string') return false;
  if (!Object.hasOwn(data, 'url') || !Object.hasOwn(data, 'body')) return false;
  return isPlainObject(own(data, 'headers'));
}

function own(value: object, key: string): unknown {
  return Object.getOwnPropertyDescriptor(value, key)?.value;
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function hasConstructorKey(value: unknown, forms: ReadonlySet<string>): boolean {
  if (Array.isArray(value)) return value.some((element) => hasConstructorKey(element, forms));
  if (!isPlainObject(value)) return false;
  if (Object.hasOwn(value, 'constructor')) return true;
  return readable(value, forms).some(([, held]) => hasConstructorKey(held, forms));
}

function toMaps(value: unknown, forms: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((element) => toMaps(element, forms));
  if (!isPlainObject(value)) return value;
  const entries = readable(value, forms).map(([key, held]) => [key, toMaps(held, forms)] as const);
  return Object.hasOwn(value, 'constructor') ? new Map(entries) : Object.fromEntries(entries);
}

/** The properties of an object, without those that the filter has no reason to compute. */
function readable(
  value: object,
  forms: ReadonlySet<string>,
): ReadonlyArray<readonly [key: string, value: unknown]> {
  if (!BODY_FORMS.some((form) => isComputed(value, form))) return Object.entries(value);
  return Object.keys(value)
    .filter((key) => forms.has(key) || !isComputed(value, key))
    .map((key) => [key, Reflect.get(value, key)] as const);
}

function isComputed(value: object, key: string): boolean {
  return Object.getOwnPropertyDescriptor(value, key)?.get !== undefined;
}
