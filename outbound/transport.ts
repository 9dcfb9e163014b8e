// How a request gets to its receiver. HTTP is one way; others plug in.

import type { Event } from '../events/event.ts';
import type { ListenerDefinition } from '../events/listener.ts';

/** One attempt to deliver an event, ready to be sent: its body is made, its headers are signed. */
export interface OutboundRequest {
  readonly event: Event;
  /** The listener's url, as its definition has it. */
  readonly url: string;
  /** The listener's method: `POST`, `PUT` or `PATCH`. */
  readonly method: string;
  /**
   * Those of the definition, the dialect and the signature, `content-type` and `user-agent`. Secrets
   * are in them: put them into no message and no log.
   */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** The same for every attempt to deliver this event: `msg_...`. */
  readonly id: string;
  /** How long the attempt may take, in milliseconds. Past it, `signal` is aborted. */
  readonly timeoutMs: number;
  /** Aborted when nobody waits for the result any more. */
  readonly signal: AbortSignal;
  /**
   * The value of one of the configuration's `outbound.secrets`.
   *
   * @throws MendableError if there is none of the name, or its environment variable is not set
   */
  secret(name: string): string;
}

/** What a receiver answered. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** There was more of the body than this. */
  readonly isCut?: boolean;
}

/** What came of an attempt. A receiver that refuses is a result, not an exception. */
export interface SendResult {
  readonly isSuccessful: boolean;
  /** One line for those who look at the delivery: `200 OK`, or why it failed. */
  readonly message: string;
  readonly answer?: Answer;
  /** What was sent that differs from the request, for the record. */
  readonly sent?: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
  };
  /** The receiver wants no more, ever: the listener is deactivated. */
  readonly isGone?: boolean;
  /** The receiver wants no other attempt for so long, in milliseconds. */
  readonly retryAfterMs?: number;
  /** Another attempt would go no better. */
  readonly isFinal?: boolean;
}

/** A way for events to get to their receivers. Listeners name it as their `type`. */
export interface Transport {
  /**
   * Sends one request, once: when and how often it is tried again is not its business. What it
   * throws is a failed attempt, with the error's message.
   */
  send(request: OutboundRequest): Promise<SendResult>;
  /**
   * Looks at the definition of a listener before it is taken.
   *
   * @throws Error with one sentence, if it can never be delivered to
   */
  check?(definition: ListenerDefinition): void;
  /** The names of the configuration's `outbound.secrets` that it needs. */
  readonly secrets?: readonly string[];
  /** Closes its connections. They are made again if something is sent after that. */
  close?(): Promise<void>;
}

/**
 * Declares a transport of your own: for `transports` in the configuration's `outbound`.
 *
 * Deliveries are at least once: after a crash the same request, with the same `id`, may be sent
 * again.
 *
 * @example
 * const files = defineTransport({
 *   async send({ id, body }) {
 *     await writeFile(join('/var/spool/events', id), body);
 *     return { isSuccessful: true, message: 'written' };
 *   },
 * });
 */
export function defineTransport(transport: Transport): Transport {
  return transport;
}
