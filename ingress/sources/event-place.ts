// Where requests of a sender that nobody knows say what they are.

import { ConfigError } from '../../config/errors.ts';
import { firstJsonValue } from '../../events/first-json-value.ts';
import { RequestError, type SourceRequest } from './source.ts';

/** Headers in which senders name an event, the first one that is there wins. */
const ID_HEADERS: readonly string[] = ['idempotency-key', 'webhook-id', 'ce-id'];

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Where a request says which event it is: a header, or a dot path such as `data.id` in its JSON. */
export type EventIdPlace = { readonly header: string } | { readonly json: string };

/** Where a request says what happened: a header, or a dot path such as `type` in its JSON. */
export type EventTypePlace = EventIdPlace;

/**
 * Checks the place of something that is written as `what` in the configuration.
 *
 * @throws ConfigError if it is malformed
 */
export function checkPlace(place: EventIdPlace | undefined, what: string): void {
  if (place === undefined) return;
  if ('header' in place) {
    checkHeaderName(place.header, `${what}.header`);
    return;
  }
  if (place.json.split('.').every((key) => key !== '')) return;
  throw new ConfigError(
    `${what}.json is "${place.json}", must be keys separated by dots, such as data.id`,
  );
}

/** @throws ConfigError if no header can be called that */
export function checkHeaderName(name: string, what: string): void {
  if (HEADER_NAME.test(name)) return;
  throw new ConfigError(`${what} is "${name}", not a header's name`);
}

/** The event's id, from its place or from a header for such ids. */
export function idOf(request: SourceRequest, place: EventIdPlace | undefined): string | undefined {
  return placed(request, place, 'event id') ?? headerId(request.headers);
}

/**
 * The text or the whole number that is at the place.
 *
 * @throws RequestError for a number that is not exact
 */
export function placed(
  request: SourceRequest,
  place: EventIdPlace | undefined,
  what: string,
): string | undefined {
  if (place === undefined) return undefined;
  if ('header' in place) return request.headers[place.header.toLowerCase()];
  const value = valueIn(toJson(request.body), place.json);
  if (typeof value === 'string') return value;
  if (typeof value !== 'number') return undefined;
  // Rounded numbers would make one event of two, and the second would be lost.
  if (Number.isSafeInteger(value)) return String(value);
  throw new RequestError(`${what} at ${place.json} is ${value}, not an integer that is exact`);
}

function toJson(body: Uint8Array): unknown {
  return firstJsonValue(new TextDecoder().decode(body));
}

function valueIn(json: unknown, path: string): unknown {
  let value = json;
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.getOwnPropertyDescriptor(value, key)?.value;
  }
  return value;
}

function headerId(headers: Readonly<Record<string, string>>): string | undefined {
  const name = ID_HEADERS.find((header) => headers[header] !== undefined);
  return name === undefined ? undefined : headers[name];
}
