// What a source finds in a request, as an event.

import { createHash, randomUUID } from 'node:crypto';

import { EVENT_BYTES_MAX, EVENT_ID_LENGTH_MAX, type Event } from '../../events/event.ts';
import { hasStoredBody } from '../../events/webhook-body.ts';
import { RejectedError, RequestError } from './source.ts';

/** Longest type of an event, in characters. */
const TYPE_LENGTH_MAX = 256;

/** Longest subject of an event, in characters. */
const SUBJECT_LENGTH_MAX = 1_024;

/** How many bytes of JSON a byte of a body can become: `1e20` is written out. */
const GROWTH_MAX = 8;

/** Control characters and lone surrogates: these texts go into logs, headers and workflow ids. */
const UNFIT = /[\p{Cc}\p{Cs}]/u;

/** An event, as its source describes it. */
export interface SourceEvent {
  /** What happened, 1 to 256 characters: `event_type` in filters. */
  readonly type: string;
  /** Plain JSON, at most 1 MiB of it: `data` in filters. */
  readonly data: unknown;
  /**
   * Two events of a source with the same id are the same event, which reaches everyone once. 1 to
   * 256 characters.
   *
   * @default a new UUID: then a request that is sent again is a new event
   */
  readonly id?: string | undefined;
  /** What it happened to, 1 to 1,024 characters. */
  readonly subject?: string | undefined;
}

/**
 * The event, accepted now.
 *
 * @throws RejectedError if the sender gave something that no event can have
 */
export function toEvent(source: string, found: SourceEvent): Event {
  const { type, data, id = randomUUID(), subject } = found;
  checkText(type, 'type', TYPE_LENGTH_MAX);
  if (subject !== undefined) checkText(subject, 'subject', SUBJECT_LENGTH_MAX);
  // Workflows would read it as a body that has a form and bytes.
  if (hasStoredBody(data)) throw new RequestError('the body has a reserved key');
  // Without data it would be no event once it is read again.
  if (data === undefined) throw new TypeError(`source ${source} gave an event without data`);
  return {
    id: checkId(id),
    source,
    type,
    time: new Date().toISOString(),
    ...(subject !== undefined && { subject }),
    data,
  };
}

/** @throws RequestError if it can not be the id of an event */
export function checkId(id: string): string {
  if (id === '') throw new RequestError('event id is empty');
  if (id.length > EVENT_ID_LENGTH_MAX) {
    throw new RequestError(`event id is ${id.length} characters, at most ${EVENT_ID_LENGTH_MAX}`);
  }
  if (UNFIT.test(id)) throw new RequestError('event id has a control character in it');
  return id;
}

/**
 * Refuses data that is larger as JSON than an event may be.
 *
 * @throws RejectedError
 */
export function checkSize({ data }: Event, bodyBytes: number): void {
  if (bodyBytes * GROWTH_MAX <= EVENT_BYTES_MAX) return;
  if (Buffer.byteLength(JSON.stringify(data)) <= EVENT_BYTES_MAX) return;
  throw new RejectedError('BODY_TOO_LARGE', `the event is larger than ${EVENT_BYTES_MAX} bytes`);
}

/** An id for what has none: the same for the same parts. */
export function hashId(...parts: ReadonlyArray<string | Uint8Array>): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex');
}

function checkText(text: string, what: string, lengthMax: number): void {
  if (text === '') throw new RequestError(`event ${what} is empty`);
  if (text.length > lengthMax) {
    throw new RequestError(`event ${what} is ${text.length} characters, at most ${lengthMax}`);
  }
  if (UNFIT.test(text)) throw new RequestError(`event ${what} has a control character in it`);
}
