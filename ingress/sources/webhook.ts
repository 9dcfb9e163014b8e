import { randomUUID } from 'node:crypto';

import { ConfigError } from '../../config/errors.ts';
import type { Event } from '../../events/event.ts';
import { deriveEvent, storeBody } from '../../events/webhook-body.ts';
import { createSource } from './create-source.ts';
import { checkPlace, idOf, type EventIdPlace } from './event-place.ts';
import { createHandling, type Handler, type HandlerOptions, type ResultOf } from './handler.ts';
import { checkId } from './source-event.ts';
import type { Source, SourceRequest } from './source.ts';

/** The settings of a generic webhook source. */
export interface WebhookOptions<Data = unknown> extends Partial<HandlerOptions<Data>> {
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
  /**
   * Says of each request whether it is an event, what its data is, and what the sender hears.
   *
   * @default every request is an event
   */
  readonly handler?: Handler<Data>;
}

/** A source that takes every request, whoever sends it and whatever it says. */
interface OpenSource extends Source {
  readonly takes: 'every request';
}

/**
 * The generic webhook source: every request to `/webhooks/<source>` and below it is an event.
 *
 * The event's type is the HTTP method in lower case, its data the request: a `WebhookData`. With a
 * `handler`, its data is what the handler makes of the request.
 *
 * @throws ConfigError if an option is malformed
 *
 * @example
 * const orders = webhook({ verify: 'none', eventId: { header: 'x-event-id' } });
 */
export function webhook<Data = unknown>(options: WebhookOptions<Data>): Source<ResultOf<Data>>;
export function webhook(options: WebhookOptions): Source {
  // JavaScript users are not held to the types.
  const verify: unknown = options.verify;
  if (verify !== 'none') {
    throw new ConfigError(`webhook: verify is ${String(verify)}, must be 'none'`);
  }
  const { eventId, handler } = options;
  checkPlace(eventId, 'webhook: eventId');
  if (handler !== undefined) {
    const handle = createHandling({ ...options, handler }, { kind: 'webhook', eventId });
    return createSource({ kind: 'webhook', scheme: undefined, handle });
  }
  const open: OpenSource = {
    kind: 'webhook',
    takes: 'every request',
    missing: [],
    receive: async (request) => ({ events: [toWebhookEvent(request, eventId)] }),
    sign: (draft) => draft,
  };
  return open;
}

/** Others want a signature, or a request of a certain form, or have a handler that decides. */
export function isOpen(source: Source): source is OpenSource {
  return 'takes' in source && source.takes === 'every request';
}

function toWebhookEvent(request: SourceRequest, place: EventIdPlace | undefined): Event {
  const { method, url, headers } = request;
  // Derived, because filters read it next; it travels in its stored form.
  return deriveEvent({
    id: checkId(idOf(request, place) ?? randomUUID()),
    source: request.source,
    type: method.toLowerCase(),
    time: new Date().toISOString(),
    data: { method, url, headers, body: storeBody(request.body) },
  });
}
