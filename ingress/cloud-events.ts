// CloudEvents 1.0 over HTTP, in their three modes, become events. What a CloudEvent must be
// is checked by the official package; it is not given data, which it would not keep as it is.

import { createHash } from 'node:crypto';

import { CloudEvent, ValidationError } from 'cloudevents';

import { EVENT_BYTES_MAX, EVENT_ID_LENGTH_MAX, type Event } from '../events/event.ts';
import { toTraceContext } from '../events/trace-context.ts';
import { deriveEvent, hasUnreadableBody, storeBody } from '../events/webhook-body.ts';
import { parseJson, parseText } from './json.ts';
import { RequestError } from './sources/source.ts';

/** How many events a batch may have. */
export const BATCH_EVENTS_MAX = 100;

/** Longest source, type and subject of a CloudEvent, in characters. */
const ATTRIBUTE_LENGTH_MAX = 1_024;

/** How many extension attributes an event may have. */
const EXTENSIONS_MAX = 32;

/**
 * How much larger than a body an event may be as JSON, in bytes: its id and time are added. Numbers
 * such as `1e20` and control characters grow when they are written again.
 */
const GROWTH_BYTES_MAX = 64 * 1024;

const EXTENSION_NAME = /^[a-z0-9]+$/;
const REQUIRED: readonly string[] = ['id', 'source', 'type', 'specversion'];

/** What the specification forbids in the text of an attribute. */
const UNFIT = /[\p{Cc}\p{Cs}]/u;

/** In no URI reference, and so not in a `source`. */
const SEPARATOR = '|';

const JSON_TYPE = /^[^/;]+\/(?:[^;]+\+)?json\s*(?:;|$)/i;
const TEXT_TYPE = /^(?:text\/[^;]+|[^/;]+\/(?:[^;]+\+)?xml)\s*(?:;|$)/i;

/** The base64 of RFC 4648, whole. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A CloudEvent as it came: its attributes, and its data as JSON or as bytes. */
export interface RawCloudEvent {
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly data?: unknown;
  readonly bytes?: Uint8Array;
}

/** An event is too large once it is written as JSON. */
export class EventTooLargeError extends Error {
  override readonly name = 'EventTooLargeError';
}

/**
 * The CloudEvent that a JSON value is, in the JSON event format.
 *
 * @throws RequestError if it is none
 */
export function toRawCloudEvent(json: unknown): RawCloudEvent {
  if (!isRecord(json)) throw new RequestError('a CloudEvent is a JSON object');
  const { data, data_base64: base64, ...attributes } = json;
  if (base64 === undefined || base64 === null) return { attributes, data };
  if (data !== undefined) throw new RequestError('data and data_base64 are both given');
  if (typeof base64 !== 'string' || !BASE64.test(base64)) {
    throw new RequestError('data_base64 is not base64');
  }
  return { attributes, bytes: Buffer.from(base64, 'base64') };
}

/**
 * The event that a CloudEvent is in a source.
 *
 * @throws RequestError if it is not a CloudEvent of version 1.0
 * @throws EventTooLargeError if its JSON is larger than an event may be
 */
export function toEvent(source: string, raw: RawCloudEvent): Event {
  const attributes = withoutNull(raw.attributes);
  const { id, type, subject, time, ...others } = checkAttributes(attributes);
  // Derived, because filters read it next; it travels in its stored form.
  const event = deriveEvent({
    id: toEventId(String(others.source), String(id)),
    source,
    type: String(type),
    time: toTime(time),
    ...(subject !== undefined && { subject: String(subject) }),
    ...toTraceContext(others),
    data: toData(raw, others.datacontenttype),
    attributes: others,
  });
  const bytes = Buffer.byteLength(JSON.stringify(event));
  if (bytes <= EVENT_BYTES_MAX + GROWTH_BYTES_MAX) return event;
  throw new EventTooLargeError(
    `the event is ${bytes} bytes as JSON, at most ${EVENT_BYTES_MAX + GROWTH_BYTES_MAX}`,
  );
}

type Attributes = Record<string, string | number | boolean>;

/** In JSON, an attribute that is null is not there. */
function withoutNull(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}

function checkAttributes(given: Record<string, unknown>): Attributes {
  const checked: Attributes = {};
  for (const name of REQUIRED) {
    // The package would make an id up, and take any version.
    if (given[name] === undefined) throw new RequestError(`${name} is missing`);
  }
  if (given.specversion !== '1.0') {
    throw new RequestError(`specversion is ${JSON.stringify(given.specversion)}, must be "1.0"`);
  }
  for (const [name, value] of Object.entries(given)) checked[name] = checkAttribute(name, value);
  const { id, source, type, specversion, time, subject, datacontenttype, dataschema, ...others } =
    checked;
  const context = { id, source, type, specversion, time, subject, datacontenttype, dataschema };
  checkContext(context);
  const extensions = Object.keys(others).length;
  if (extensions > EXTENSIONS_MAX) {
    throw new RequestError(`${extensions} extension attributes, at most ${EXTENSIONS_MAX}`);
  }
  const { specversion: _always, ...kept } = checked;
  return kept;
}

function checkAttribute(name: string, value: unknown): string | number | boolean {
  if (!EXTENSION_NAME.test(name)) {
    throw new RequestError(
      `attribute ${JSON.stringify(name)}: names are lower-case letters and digits`,
    );
  }
  if (typeof value === 'boolean' || (typeof value === 'number' && Number.isInteger(value))) {
    return value;
  }
  if (typeof value !== 'string') {
    throw new RequestError(`${name} is no text, whole number, true or false`);
  }
  const most = name === 'id' ? EVENT_ID_LENGTH_MAX : ATTRIBUTE_LENGTH_MAX;
  if (value.length > most) {
    throw new RequestError(`${name} is ${value.length} characters, at most ${most}`);
  }
  if (UNFIT.test(value)) throw new RequestError(`${name} has a control character in it`);
  return value;
}

/** By the JSON schema of the specification. */
function checkContext(context: object): void {
  const given = Object.entries(context).filter(([, value]) => value !== undefined);
  const empty = given.find(([, value]) => value === '');
  // The package takes empty text for an attribute that is not there.
  if (empty !== undefined) throw new RequestError(`${empty[0]} is empty`);
  try {
    new CloudEvent(Object.fromEntries(given), false).validate();
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    throw new RequestError(toReason(error), { cause: error });
  }
}

function toReason({ errors, message }: ValidationError): string {
  const [first] = errors ?? [];
  if (typeof first !== 'object') return message;
  return `${first.instancePath?.replace('/', '')} ${first.message}`;
}

/** One way only: a `source` has no separator in it, and a hash is the whole id. */
function toEventId(source: string, id: string): string {
  const joined = source + SEPARATOR + id;
  if (source.includes(SEPARATOR)) throw new RequestError('source is no URI reference');
  if (joined.length <= EVENT_ID_LENGTH_MAX) return joined;
  return createHash('sha256').update(joined).digest('hex');
}

function toTime(time: string | number | boolean | undefined): string {
  if (time === undefined) return new Date().toISOString();
  // A leap second is a time in RFC 3339, and none in JavaScript.
  const read = new Date(String(time).replace(/:60(?=[.zZ+-])/, ':59'));
  if (Number.isNaN(read.getTime())) throw new RequestError('time can not be read');
  return read.toISOString();
}

function toData({ data, bytes }: RawCloudEvent, contentType: unknown): unknown {
  if (bytes === undefined) return checkBody(data ?? null);
  if (bytes.length === 0) return null;
  const type = typeof contentType === 'string' ? contentType : 'application/json';
  if (JSON_TYPE.test(type)) return checkBody(parseJson(bytes, 'data'));
  return TEXT_TYPE.test(type) ? parseText(bytes, 'data') : { body: storeBody(bytes) };
}

/** A webhook's event that is delivered as a CloudEvent has a stored body, and keeps it. */
function checkBody(data: unknown): unknown {
  if (hasUnreadableBody(data)) throw new RequestError('the body has a reserved key');
  return data;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
