// A source with a handler: a function of the user's that gets the whole request, and says whether
// it is an event, and what its sender hears.

import type { Duration } from '@temporalio/common';
import { msToNumber } from '@temporalio/common/lib/time.js';

import { ConfigError } from '../../config/errors.ts';
import { UnavailableError } from '../../dispatch/errors.ts';
import { EVENT_BYTES_MAX } from '../../events/event.ts';
import { whyNotSendable } from '../../events/sendable-response.ts';
import { toWebhookBody, type WebhookBody, type WebhookUrl } from '../../events/webhook-body.ts';
import type { HttpResponse } from '../../workflows/messages.ts';
import { isForm, isObject } from './content.ts';
import { idOf, type EventIdPlace } from './event-place.ts';
import { toOwnData } from './own-data.ts';
import { checkSize, toEvent } from './source-event.ts';
import { RequestError, type Received, type Reply, type SourceRequest } from './source.ts';

/** How long a handler may take, if nothing else is said. */
const HANDLER_MS_DEFAULT = 10_000;

/** Common load balancers hang up after that. */
const HANDLER_MS_MAX = 60_000;

/** The answer if the handler gives none. */
const NO_CONTENT: Reply = { status: 204, body: '' };

/** The whole request, as a handler gets it: verified, if its source verifies, and complete. */
export interface HandlerRequest {
  /** The name that the configuration gives the source. */
  readonly source: string;
  /** The HTTP method, in upper case. */
  readonly method: string;
  /** `url.path_suffix` is what follows the source's address. */
  readonly url: WebhookUrl;
  /** The query parameters; values of one that is given several times are joined by `', '`. */
  readonly query: Readonly<Record<string, string>>;
  /** By lower-case name, without `host`; repeated headers are joined by `', '`. */
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes of the body, uncompressed; none if there is no body. */
  readonly rawBody: Uint8Array;
  /** The body as text, JSON or a form. */
  readonly body: WebhookBody;
  /** Ends when the handler has taken too long, and nobody waits for it any more. */
  readonly signal: AbortSignal;
}

/** What a handler says that a request is. */
export type Handled<Data> =
  | {
      /** It is no event: nothing starts and nobody is woken. */
      readonly kind: 'preflight';
      /** @default 204 */
      readonly response?: HttpResponse | undefined;
    }
  | {
      /** It is an event. */
      readonly kind: 'event';
      /**
       * Sent once the event is durable. It comes before what a workflow of a trigger with `respond`
       * would answer.
       *
       * @default 204, or the answer of the workflow
       */
      readonly response?: HttpResponse | undefined;
      /** The event's `data`, as JSON has it. Without one the request is refused: 400. */
      readonly result: Data;
      /**
       * The event's type, 1 to 256 characters.
       *
       * @default the HTTP method in lower case
       */
      readonly type?: string | undefined;
      /**
       * The event's id, 1 to 256 characters: the same whenever the request is sent again.
       *
       * @default where `eventId` says, else the header `Idempotency-Key`, `webhook-id` or `ce-id`,
       * else a new UUID
       */
      readonly id?: string | undefined;
      /** What it happened to, 1 to 1,024 characters. */
      readonly subject?: string | undefined;
    };

/**
 * Says what a request is. A `RequestError` refuses it with 400, and any other error is answered
 * with 500, so that its sender tries again. It is called again for a request that comes again.
 */
export type Handler<Data> = (request: HandlerRequest) => Handled<Data> | Promise<Handled<Data>>;

/** The `data` of a handler's events: null and undefined are refused. */
export type ResultOf<Data> = unknown extends Data ? unknown : NonNullable<Data>;

/** The settings of a source with a handler. */
export interface HandlerOptions<Data> {
  readonly handler: Handler<Data>;
  /**
   * How long the handler may take, at most one minute. Then the sender gets 503, and whatever the
   * handler still gives is nothing.
   *
   * @default 10 seconds
   */
  readonly handlerTimeout?: Duration;
}

/**
 * What a verified request becomes by way of the handler.
 *
 * @throws ConfigError if an option is malformed
 */
export function createHandling<Data>(
  { handler, handlerTimeout = HANDLER_MS_DEFAULT }: HandlerOptions<Data>,
  { kind, eventId }: { readonly kind: string; readonly eventId?: EventIdPlace | undefined },
): (request: SourceRequest) => Promise<Received<ResultOf<Data>>> {
  if (typeof handler !== 'function') throw new ConfigError(`${kind}: handler is not a function`);
  const withinMs = resolveTimeout(handlerTimeout, kind);
  return async (request) => {
    const handled = checkHandled(await run(handler, request, withinMs), request.source);
    if (handled.kind === 'preflight') return { preflight: handled.response ?? {} };
    const { response, result, type, id, subject } = handled;
    if (result === undefined || result === null) {
      throw new RequestError('there is no event in the request');
    }
    const event = toEvent(request.source, {
      type: type ?? request.method.toLowerCase(),
      data: toOwnData(result, 'result'),
      id: id ?? idOf(request, eventId),
      subject,
    });
    checkSize(event, EVENT_BYTES_MAX);
    // What JSON makes of the result is taken for it: the types of what is no JSON are the user's.
    const events = [{ ...event, data: event.data as ResultOf<Data> }];
    return { events, ...(response ? { response } : { acknowledgement: NO_CONTENT }) };
  };
}

/** Calls the handler, and waits for it no longer than that. */
async function run<Data>(
  handler: Handler<Data>,
  request: SourceRequest,
  withinMs: number,
): Promise<unknown> {
  const over = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new UnavailableError(`the handler of ${request.source} took over ${withinMs} ms`));
      over.abort();
    }, withinMs);
  });
  try {
    const handling = (async () => handler(toHandlerRequest(request, over.signal)))();
    return await Promise.race([handling, late]);
  } catch (error) {
    // Routers take some texts that are thrown for what they are to do next.
    if (error instanceof Error) throw error;
    throw new Error(`the handler of ${request.source} threw what is no error`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

function toHandlerRequest(request: SourceRequest, signal: AbortSignal): HandlerRequest {
  const { source, method, url, headers, body: rawBody } = request;
  const body = toWebhookBody(request, rawBody, isForm(request));
  return { source, method, url, query: url.query, headers, rawBody, body, signal };
}

/** JavaScript users are not held to the types, and the type of a result is not there any more. */
function checkHandled(handled: unknown, source: string): Handled<unknown> {
  const wrong = (what: string): TypeError => new TypeError(`the handler of ${source}: ${what}`);
  if (!isObject(handled)) throw wrong('it gave no object');
  const { kind, response, result, type, id, subject } = handled;
  if (kind !== 'event' && kind !== 'preflight') throw wrong(`its kind is ${String(kind)}`);
  const why = response === undefined ? undefined : whyNoResponse(response);
  if (why !== undefined) throw wrong(`its response can not be sent: ${why}`);
  const answer = response as HttpResponse | undefined;
  if (kind === 'preflight') return { kind, response: answer };
  for (const text of [type, id, subject]) {
    if (text !== undefined && typeof text !== 'string') throw wrong(`${typeof text} for text`);
  }
  const [eventType, eventId, about] = [type, id, subject] as Array<string | undefined>;
  return { kind, response: answer, result, type: eventType, id: eventId, subject: about };
}

/** Before the event is durable: afterwards there would be nobody to tell. */
function whyNoResponse(response: unknown): string | undefined {
  if (!isObject(response)) return 'it is no object';
  const { status, headers = {}, body } = response;
  if (status !== undefined && typeof status !== 'number') return 'its status is no number';
  if (!isTexts(headers)) return 'its headers are no texts';
  if (body !== undefined && JSON.stringify(body) === undefined) return 'its body is no JSON';
  return whyNotSendable({ status, headers });
}

function isTexts(headers: unknown): headers is Readonly<Record<string, string>> {
  return isObject(headers) && Object.values(headers).every((value) => typeof value === 'string');
}

function resolveTimeout(timeout: Duration, kind: string): number {
  let ms = Number.NaN;
  try {
    ms = msToNumber(timeout);
  } catch {
    // Text that is not a duration: said below, like every other value that is not.
  }
  if (ms > 0 && ms <= HANDLER_MS_MAX) return ms;
  throw new ConfigError(
    `${kind}: handlerTimeout is ${String(timeout)}, must be up to '1 minute', such as '3 seconds'`,
  );
}
