// What a kind of source supplies. The ingress does the rest in the same way for all
// of them: routing, limits, the raw body, dispatch and the answer.

import type { Event } from '../../events/event.ts';
import type { WebhookUrl } from '../../events/webhook-body.ts';
import type { HttpResponse } from '../../workflows/messages.ts';

/** A request to a source, its body complete, uncompressed and not yet parsed. */
export interface SourceRequest {
  /** The name that the configuration gives the source. */
  readonly source: string;
  /** The HTTP method, in upper case. */
  readonly method: string;
  readonly url: WebhookUrl;
  /** By lower-case name, without `host`; repeated headers are joined by `', '`. */
  readonly headers: Readonly<Record<string, string>>;
  /** The lower-case names of the headers that came more than once. */
  readonly repeatedHeaders: ReadonlySet<string>;
  /** The bytes that a signature is over. */
  readonly body: Uint8Array;
}

/** An answer of a source's own. */
export interface Reply {
  /** @default 200 */
  readonly status?: number;
  /** @default none but the type of the body */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Text, or what is sent as JSON.
   *
   * @default that of the ingress: the ids of the events, once they are durable
   */
  readonly body?: string | Readonly<Record<string, unknown>>;
}

/** What a verified request is: a question that is answered, or events. */
export type Received<Data = unknown> =
  | { readonly reply: Reply }
  /** The source's handler has answered it: it is no event. */
  | { readonly preflight: HttpResponse }
  | {
      readonly events: ReadonlyArray<Event<Data>>;
      /** What the source's handler answers once the events are durable, whatever else would be. */
      readonly response?: HttpResponse;
      /** What the sender has to hear once the events are durable, if 202 is not it. */
      readonly acknowledgement?: Reply;
    };

/** A request that is made up, to a source, as `nextevent send` does. */
export interface Draft {
  readonly method: string;
  /** What follows the source's address: nothing, or `/more?a=b`. */
  readonly suffix: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a draft is signed with. */
export interface Signing {
  /** The id of the message, where the signature has one. */
  readonly id: string;
  readonly at: Date;
  /**
   * The private key, as PEM, of senders whose key the source does not have.
   *
   * @default the first secret of the source
   */
  readonly privateKey?: string;
}

/**
 * A source as it is configured. `webhook()`, `github()` and the like make one. `Data` is what the
 * `data` of its events is, where the source knows.
 */
export interface Source<Data = unknown> {
  /** What it is: `'webhook'`, `'github'`. */
  readonly kind: string;
  /** The environment variables that it lacks. Without them it is off, and takes nothing. */
  readonly missing: readonly string[];
  /**
   * What the request is, once it is verified.
   *
   * @throws RejectedError if the request is not one that the source takes
   */
  receive(request: SourceRequest): Promise<Received<Data>>;
  /**
   * The request as its sender would send it, for those who try things out.
   *
   * @throws SigningError if only the sender can sign it
   */
  sign(draft: Draft, signing: Signing): Draft;
}

/** The events of a source: what a workflow that one of its triggers starts takes. */
export type EventOf<S extends Source> = S extends Source<infer Data> ? Event<Data> : never;

/** Why a request is refused. */
export type RejectionReason = 'SIGNATURE' | 'TIMESTAMP' | 'HANDSHAKE' | 'PARSE' | 'BODY_TOO_LARGE';

/** The request is refused, and the same request always will be. The message is for its sender. */
export class RejectedError extends Error {
  override readonly name: string = 'RejectedError';
  readonly reason: RejectionReason;

  constructor(reason: RejectionReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** The request can not become an event, and the same request never will: the sender mends it. */
export class RequestError extends RejectedError {
  override readonly name = 'RequestError';

  constructor(message: string, options?: ErrorOptions) {
    super('PARSE', message, options);
  }
}

/** The source has no key to sign with. */
export class SigningError extends Error {
  override readonly name = 'SigningError';
}
