// What the body of a request is made like.

import type { Event } from '../events/event.ts';
import { bodyOf } from '../events/webhook-body.ts';
import { isCredential } from './headers.ts';

/** How an event is written for its receivers. Listeners name it as their `dialect`. */
export interface Dialect {
  /** The value of `content-type`. */
  readonly contentType: string;
  /**
   * The value of `user-agent`.
   *
   * @default `nextevent/` and its version
   */
  readonly userAgent?: string;
  /** Other headers. Those of the listener's definition go before them. */
  headers?(event: Event): Readonly<Record<string, string>>;
  /**
   * The body: the same for the same event, because it is made anew for every attempt. If it throws,
   * the delivery fails.
   */
  body(event: Event): string | Uint8Array;
}

/** The whole event, in the JSON format of CloudEvents 1.0. */
const cloudevents: Dialect = {
  contentType: 'application/cloudevents+json',
  body: (event) => JSON.stringify(toCloudEvent(event)),
};

/** The event's data and nothing else. */
const json: Dialect = {
  contentType: 'application/json',
  body: ({ data }) => JSON.stringify(readable(data)) ?? 'null',
};

export const DIALECTS: ReadonlyMap<string, Dialect> = new Map([
  ['cloudevents', cloudevents],
  ['json', json],
]);

/** An event that came as a CloudEvent goes out as the same: with its own source and id. */
function toCloudEvent({ attributes = {}, ...event }: Event): object {
  const source = typeof attributes.source === 'string' ? attributes.source : event.source;
  const prefix = `${source}|`;
  const isOwn = attributes.source !== undefined && event.id.startsWith(prefix);
  return {
    specversion: '1.0',
    ...attributes,
    id: isOwn ? event.id.slice(prefix.length) : event.id,
    source,
    type: event.type,
    time: event.time,
    ...(event.subject !== undefined && { subject: event.subject }),
    ...(event.traceparent !== undefined && { traceparent: event.traceparent }),
    ...(event.tracestate !== undefined && { tracestate: event.tracestate }),
    // Whatever type its data had, here it is the JSON that was made of it.
    datacontenttype: 'application/json',
    data: readable(event.data),
  };
}

/**
 * Data as receivers read it. The body of a webhook has its readings, with bytes in base64 if it is no
 * text, and what its sender proved itself with is for nobody else.
 */
function readable(data: unknown): unknown {
  const body = bodyOf(data);
  if (body === undefined) return data;
  const { text, json: value, form, bytes } = body;
  const encoded = text === null && bytes !== null ? Buffer.from(bytes).toString('base64') : null;
  const { headers, ...others } = data as Record<string, unknown>;
  return {
    ...others,
    ...(headers !== undefined && { headers: withoutCredentials(headers) }),
    body: { text, json: value, form, bytes: encoded },
  };
}

function withoutCredentials(headers: unknown): unknown {
  if (typeof headers !== 'object' || headers === null) return headers;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !isCredential(name)));
}
