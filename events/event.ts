// One occurrence in a source. The attributes are those of CloudEvents 1.0; what
// the source says about the occurrence is `data`.

import type { SubscriptionId } from './subscription.ts';

/** Largest request body, and largest event, that is accepted, in bytes. */
export const EVENT_BYTES_MAX = 1024 * 1024;

/** Longest event id, in characters. Longer ids from outside are refused. */
export const EVENT_ID_LENGTH_MAX = 256;

/**
 * One occurrence in a source.
 *
 * `id` is unique within `source`: a second event with both the same is a
 * repetition of the first, and reaches nobody again.
 */
export interface Event<T = unknown> {
  readonly id: string;
  /** The name that the configuration gives the source. */
  readonly source: string;
  /** What happened, in the source's own words; filters call it `event_type`. */
  readonly type: string;
  /** When it happened, where its publisher says so, else when it was accepted: RFC 3339, in UTC. */
  readonly time: string;
  /** What it happened to, where the source says so. */
  readonly subject?: string;
  /** The span that sent it, as in W3C Trace Context. Filters do not see it. */
  readonly traceparent?: string;
  /** What tracing systems say of that span besides. Filters do not see it. */
  readonly tracestate?: string;
  readonly data: T;
  /**
   * On an event that was published as a CloudEvent, its other attributes: its own `source`,
   * `datacontenttype`, `dataschema`, and its extensions.
   */
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
  /** On an event that `nextEvent` gave: the subscription it was for. */
  readonly subscription?: SubscriptionId;
}

/** Whether a value has the attributes of an event. */
export function isEvent(value: unknown): value is Event {
  if (typeof value !== 'object' || value === null || !('data' in value)) return false;
  const { id, source, type, time } = value as Partial<Event>;
  return [id, source, type, time].every((attribute) => typeof attribute === 'string');
}
