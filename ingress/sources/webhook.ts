import { randomUUID } from 'node:crypto';

import { ConfigError } from '../../config/errors.ts';
import { EVENT_ID_LENGTH_MAX, type Event } from '../../events/event.ts';
import { firstJsonValue } from '../../events/first-json-value.ts';
import { deriveEvent, storeBody } from '../../events/webhook-body.ts';
import { RequestError, type Source, type SourceRequest } from './source.ts';

/** Headers in which senders name an event, the first one that is there wins. */
const ID_HEADERS: readonly string[] = ['idempotency-key', 'webhook-id', 'ce-id'];

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Control characters and lone surrogates: an id goes into logs, headers and workflow ids. */
const UNFIT_FOR_ID = /[\p{Cc}\p{Cs}]/u;

/** Where a request says which event it is: a header, or a dot path such as `data.id` in its JSON. */
export type EventIdPlace = { readonly header: string } | { readonly json: string };

/** The settings of a generic webhook source. */
export interface WebhookOptions {
  /** Whether requests are verified. `'none'` takes every request from anyone who can send one. */
  readonly verify: 'none';
  /**
   * Where the id of the event is. Two requests with the same id are the same event, which reaches
   * everyone once.
   *
   * @default the header `Idempotency-Key`, `webhook-id` or `ce-id`, else a new UUID: without an id
   * of its own, a request that is sent again is a new event
   */
  readonly eventId?: EventIdPlace;
}

/**
 * The generic webhook source: every request to `/webhooks/<source>` and below it is an event.
 *
 * The event's type is the HTTP method in lower case, its data the request: a `WebhookData`.
 *
 * @throws ConfigError if an option is malformed
 *
 * @example
 * const orders = webhook({ verify: 'none', eventId: { header: 'x-event-id' } });
 */
export function webhook(options: WebhookOptions): Source {
  // JavaScript users are not held to the types.
  const verify: unknown = options.verify;
  if (verify !== 'none') {
    throw new ConfigError(`webhook: verify is ${String(verify)}, must be 'none'`);
  }
  checkPlace(options.eventId);
  return { kind: 'webhook', toEvent: (request) => toEvent(request, options.eventId) };
}

function checkPlace(place: EventIdPlace | undefined): void {
  if (place === undefined) return;
  if ('header' in place) {
    if (HEADER_NAME.test(place.header)) return;
    throw new ConfigError(`webhook: eventId.header is "${place.header}", not a header's name`);
  }
  if (place.json.split('.').every((key) => key !== '')) return;
  throw new ConfigError(
    `webhook: eventId.json is "${place.json}", must be keys separated by dots, such as data.id`,
  );
}

function toEvent(request: SourceRequest, place: EventIdPlace | undefined): Event {
  const { method, url, headers } = request;
  // Derived, because filters read it next; it travels in its stored form.
  return deriveEvent({
    id: checkId(placedId(request, place) ?? headerId(headers) ?? randomUUID()),
    source: request.source,
    type: method.toLowerCase(),
    time: new Date().toISOString(),
    data: { method, url, headers, body: storeBody(request.body) },
  });
}

function placedId(request: SourceRequest, place: EventIdPlace | undefined): string | undefined {
  if (place === undefined) return undefined;
  if ('header' in place) return request.headers[place.header.toLowerCase()];
  const value = valueAt(toJson(request.body), place.json);
  if (typeof value === 'string') return value;
  if (typeof value !== 'number') return undefined;
  // Rounded numbers would make one event of two, and the second would be lost.
  if (Number.isSafeInteger(value)) return String(value);
  throw new RequestError(`event id at ${place.json} is ${value}, not an integer that is exact`);
}

function toJson(body: Uint8Array): unknown {
  return firstJsonValue(new TextDecoder().decode(body));
}

function valueAt(json: unknown, path: string): unknown {
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

function checkId(id: string): string {
  if (id === '') throw new RequestError('event id is empty');
  if (id.length > EVENT_ID_LENGTH_MAX) {
    throw new RequestError(`event id is ${id.length} characters, at most ${EVENT_ID_LENGTH_MAX}`);
  }
  if (UNFIT_FOR_ID.test(id)) throw new RequestError('event id has a control character in it');
  return id;
}
