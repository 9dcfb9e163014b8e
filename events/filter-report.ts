// A filter as an answer to whoever wrote it: whether it is one, and what it makes of an event.

import { EVENT_ID_LENGTH_MAX, isEvent, type Event } from './event.ts';
import { describeAccess } from './filter-access.ts';
import { FilterError } from './filter-error.ts';

import { deriveEvent, storeBody } from './webhook-body.ts';

/** Whether a text is a filter, and how an event finds it. */
export type FilterReport =
  | {
      readonly valid: true;
      /** Whether it is looked up by a value of the event, and not evaluated for each one. */
      readonly indexed: boolean;
      /** What it can be looked up by: `data.order.id`. */
      readonly indexedBy: readonly string[];
    }
  | {
      readonly valid: false;
      readonly error: string;
      /** Where in the text. Lines and columns count from one. */
      readonly line?: number;
      readonly column?: number;
      /** What was probably meant. */
      readonly suggestion?: string;
    };

/** What was given is not an event. */
export class EventFormError extends Error {
  override readonly name = 'EventFormError';
}

/** Says whether a text is a filter. Never throws. */
export function checkFilter(text: string): FilterReport {
  try {
    const { isIndexed, paths } = describeAccess(text);
    return { valid: true, indexed: isIndexed, indexedBy: paths };
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    const { message, position, suggestion } = error;
    return { valid: false, error: message, ...position, ...(suggestion && { suggestion }) };
  }
}

/**
 * An event to try a filter on: as it is stored, or no more than its `type` and `data`. The body
 * of a webhook may be its text, or `{ text }`: its other forms are derived as from a request.
 *
 * @throws EventFormError
 */
export function toTriedEvent(value: unknown): Event {
  if (!isRecord(value)) throw new EventFormError('the event is not an object');
  const { type, data } = value;
  if (typeof type !== 'string') throw new EventFormError('the event has no type, which is a text');
  if (data === undefined) throw new EventFormError('the event has no data');
  const event = {
    ...DEFAULTS,
    time: new Date().toISOString(),
    ...value,
    data: withStoredBody(data),
  };
  if (!isEvent(event) || event.id.length > EVENT_ID_LENGTH_MAX) {
    throw new EventFormError("the event's id, source and time are not texts");
  }
  if (event.subject !== undefined && typeof event.subject !== 'string') {
    throw new EventFormError("the event's subject is not a text");
  }
  return deriveEvent(event);
}

const DEFAULTS = { id: 'tried', source: 'tried' };

/** Only on what looks like a request to the generic webhook source. */
function withStoredBody(data: unknown): unknown {
  if (!isRecord(data) || typeof data.method !== 'string' || !isRecord(data.headers)) return data;
  const { body } = data;
  const text = isRecord(body) && Object.keys(body).join() === 'text' ? body.text : body;
  return typeof text === 'string' ? { ...data, body: storeBody(Buffer.from(text)) } : data;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
