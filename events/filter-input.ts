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

const rewritten = new WeakMap<FilterInput, FilterInput | false>();

/**
 * The same input, readable where an object of its data has a key `constructor`: the
 * CEL library takes that for the object's class. As maps, such objects are safe.
 *
 * @returns `undefined` when the data has no such object.
 */
export function withoutConstructors(input: FilterInput): FilterInput | undefined {
  let result = rewritten.get(input);
  if (result === undefined) {
    result = hasConstructorKey(input.data) && { ...input, data: toMaps(input.data) };
    rewritten.set(input, result);
  }
  return result === false ? undefined : result;
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

function hasConstructorKey(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasConstructorKey);
  if (!isPlainObject(value)) return false;
  return Object.hasOwn(value, 'constructor') || Object.values(value).some(hasConstructorKey);
}

function toMaps(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toMaps);
  if (!isPlainObject(value)) return value;
  const entries = Object.entries(value).map(([key, held]) => [key, toMaps(held)] as const);
  return Object.hasOwn(value, 'constructor') ? new Map(entries) : Object.fromEntries(entries);
}
