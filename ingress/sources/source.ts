// What a kind of source supplies. The ingress does the rest in the same way for all
// of them: routing, limits, the raw body, dispatch and the answer.

import type { Event } from '../../events/event.ts';
import type { WebhookUrl } from '../../events/webhook-body.ts';

/** A request to a source, its body complete, uncompressed and not yet parsed. */
export interface SourceRequest {
  /** The name that the configuration gives the source. */
  readonly source: string;
  /** The HTTP method, in upper case. */
  readonly method: string;
  readonly url: WebhookUrl;
  /** By lower-case name, without `host`; repeated headers are joined by `', '`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** A kind of source, with its settings. `webhook()` makes one. */
export interface Source {
  /** What it is: `'webhook'`. */
  readonly kind: string;
  /**
   * The event that a request is.
   *
   * @throws RequestError if the request is not one that the source takes
   */
  toEvent(request: SourceRequest): Event;
}

/** The request can not become an event, and the same request never will: the sender mends it. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
}
