// The trace that an event belongs to, as W3C Trace Context has it: the headers `traceparent` and
// `tracestate`, which are attributes of the same names in CloudEvents.

import type { Event } from './event.ts';

/** The trace context of an event. What is not of the grammar is left out, as the standard asks. */
export type TraceContext = Pick<Event, 'traceparent' | 'tracestate'>;

/** The version of the standard that is written here; headers of a later one begin like it. */
const VERSION = '00';

/** A header is as long as this, unless it is of a later version. */
const TRACEPARENT_LENGTH = 55;

/** Longest headers that are kept, in characters. Of `tracestate` all software must keep 512. */
const TRACEPARENT_LENGTH_MAX = 128;
const TRACESTATE_LENGTH_MAX = 512;

/** How many members `tracestate` may have. */
const TRACESTATE_MEMBERS_MAX = 32;

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const NO_TRACE = /^0+$/;
const NO_VERSION = 'ff';

const KEY = '[a-z0-9][a-z0-9_*/@-]{0,255}';
const VALUE = String.raw`[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]`;
const TRACESTATE_MEMBER = new RegExp(`^${KEY}=${VALUE}$`);

/** What tells a span from all others, in the shape of OpenTelemetry's `SpanContext`. */
export interface EventSpanContext {
  readonly traceId: string;
  readonly spanId: string;
  /** 1: the trace is recorded. */
  readonly traceFlags: number;
  readonly isRemote: true;
}

/** What of these fields is a valid trace context; none if `traceparent` is not. */
export function toTraceContext(fields: Readonly<Record<string, unknown>>): TraceContext {
  const { traceparent, tracestate } = fields;
  if (typeof traceparent !== 'string' || parse(traceparent) === undefined) return {};
  return { traceparent, ...(isTracestate(tracestate) && { tracestate }) };
}

/** The event with the trace context that is among the headers of its request. */
export function withTraceContext<T>(
  event: Event<T>,
  headers: Readonly<Record<string, string>>,
): Event<T> {
  const context = toTraceContext(headers);
  return context.traceparent === undefined ? event : { ...event, ...context };
}

/**
 * The span that sent an event, for tracing with OpenTelemetry: a workflow links it, or goes on with
 * its trace. The shape is that of OpenTelemetry's `SpanContext`.
 *
 * @returns `undefined` if the event's sender told of none
 *
 * @example
 * import { trace } from '@opentelemetry/api';
 *
 * const event = await nextEvent(reviews);
 * const context = spanContextOf(event);
 * if (context) trace.getActiveSpan()?.addLink({ context });
 */
export function spanContextOf(event: Pick<Event, 'traceparent'>): EventSpanContext | undefined {
  return event.traceparent === undefined ? undefined : parse(event.traceparent);
}

function parse(traceparent: string): EventSpanContext | undefined {
  if (traceparent.length > TRACEPARENT_LENGTH_MAX) return undefined;
  const [, version, traceId, spanId, flags] = TRACEPARENT.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || version === NO_VERSION) return undefined;
  if (version === VERSION && traceparent.length !== TRACEPARENT_LENGTH) return undefined;
  if (NO_TRACE.test(traceId) || NO_TRACE.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags ?? '0', 16), isRemote: true };
}

function isTracestate(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > TRACESTATE_LENGTH_MAX) return false;
  const members = value.split(',').map((member) => member.replaceAll(/^[ \t]+|[ \t]+$/g, ''));
  const named = members.filter((member) => member !== '');
  if (named.length === 0 || members.length > TRACESTATE_MEMBERS_MAX) return false;
  const keys = new Set(named.map((member) => member.slice(0, member.indexOf('='))));
  return keys.size === named.length && named.every((member) => TRACESTATE_MEMBER.test(member));
}
