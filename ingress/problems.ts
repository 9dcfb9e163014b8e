// What went wrong as an answer: problem details of RFC 9457. A class of error has one
// status, and everything that is not known here is our fault and says nothing of itself.

import type { IncomingMessage } from 'node:http';

import type { ErrorRequestHandler, Request, Response } from 'express';

import { redactHeaders, type Log } from '../config/log.ts';
import {
  ListenerConflictError,
  ListenerSilentError,
  UnavailableError,
  UnknownListenerError,
} from '../dispatch/errors.ts';
import { isTemporary } from '../dispatch/failures.ts';
import { EncodingError, RequestAbortedError } from './body.ts';
import { EventTooLargeError } from './cloud-events.ts';
import { requestIdOf } from './request-id.ts';
import type { RejectedError, RejectionReason } from './sources/source.ts';
import type { IngressObserver, RejectedRequest } from './telemetry.ts';

/**
 * How long a refused client may go on sending. Hanging up at once would take the answer from it:
 * most clients read only after they have sent everything.
 */
const DRAIN_MS_MAX = 5_000;

/** There is no such place or source. */
export class NotFoundError extends Error {
  override readonly name = 'NotFoundError';
}

/** Nobody can tell at the moment. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

/** It is there, but not for whoever asks. */
export class ForbiddenError extends Error {
  override readonly name = 'ForbiddenError';
}

/** The source lacks what it needs to verify anything. The message is for the log alone. */
export class SourceOffError extends Error {
  override readonly name = 'SourceOffError';
}

/** How a request that is refused is answered. */
const REJECTIONS: Readonly<Record<RejectionReason, Pick<Problem, 'status' | 'title'>>> = {
  SIGNATURE: { status: 401, title: 'Not verified' },
  TIMESTAMP: { status: 401, title: 'Not fresh' },
  HANDSHAKE: { status: 403, title: 'Handshake refused' },
  PARSE: { status: 400, title: 'Bad request' },
  BODY_TOO_LARGE: { status: 413, title: 'Body too large' },
};

/** There is no valid API key with the request. */
export class UnauthorizedError extends Error {
  override readonly name = 'UnauthorizedError';
}

/** The place is there, and takes other methods. */
export class MethodError extends Error {
  override readonly name = 'MethodError';
  readonly allowed: string;

  constructor(method: string, allowed: string) {
    super(`${method} is not allowed here, but ${allowed}`);
    this.allowed = allowed;
  }
}

/** The content type is not one that is taken here. */
export class MediaTypeError extends Error {
  override readonly name = 'MediaTypeError';
  readonly accepted: string;

  constructor(message: string, accepted: string) {
    super(message);
    this.accepted = accepted;
  }
}

/** There were too many requests. */
export class RateLimitError extends Error {
  override readonly name = 'RateLimitError';
}

/** An event of a batch that is wrong. */
export interface WrongEvent {
  /** Its place in the batch, from 0. */
  readonly index: number;
  readonly status: number;
  readonly detail: string;
}

/** Some events of a batch are wrong, so none was taken. */
export class BatchError extends Error {
  override readonly name = 'BatchError';
  readonly events: readonly WrongEvent[];

  constructor(events: readonly WrongEvent[]) {
    const [first] = events;
    super(`event ${first?.index} of the batch: ${first?.detail}`);
    this.events = events;
  }
}

/** What is answered when something went wrong. */
export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail?: string;
  readonly reason?: RejectionReason;
  /** Of a batch: what is wrong with which event. */
  readonly events?: readonly WrongEvent[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers every error of the ingress, and logs those that are not the sender's. */
export function answerProblems(log: Log, observer?: IngressObserver): ErrorRequestHandler {
  // Express knows an error handler by its four parameters.
  // oxlint-disable-next-line max-params
  return (error: unknown, request, response, next) => {
    if (error instanceof RequestAbortedError) return;
    const problem = toProblem(error);
    const { status, title } = problem;
    const rejected = toRejected(request, response, { error, status });
    observer?.rejected(rejected);
    const { path, remoteAddress, requestId } = rejected;
    const entry = { status, path, method: request.method, remoteAddress, requestId };
    const asked = `${request.method} ${path} (${requestId})`;
    if (status >= 500) log(toLogLine(asked, error), { ...entry, level: 'error', error });
    else {
      const headers = redactHeaders(request.headers);
      log(`${asked} refused: ${status} ${title}`, { ...entry, headers, level: 'debug' });
    }
    if (response.headersSent) {
      next(error); // Express cuts the connection, so that nobody takes half an answer for one.
      return;
    }
    sendProblem(response, problem);
    drain(request);
  };
}

/** What is told of a request that was refused. */
export function toRejected(
  request: Request,
  response: Response,
  { error, status }: Pick<RejectedRequest, 'error' | 'status'>,
): RejectedRequest {
  return {
    error,
    status,
    // Without its query, which may hold a secret.
    path: request.originalUrl.split('?', 1)[0] ?? '',
    // The address behind the proxies that the application trusts.
    remoteAddress: request.ip ?? null,
    requestId: requestIdOf(response),
  };
}

/** What is told of an error. */
export function toProblem(error: unknown): Problem {
  if (error instanceof UnavailableError) {
    const seconds = Math.max(1, Math.ceil(error.retryAfterSeconds));
    return {
      status: 503,
      title: 'Unavailable',
      // Why is in the log: a sender is told nothing of what is behind the ingress.
      detail: 'the event could not be made durable; send it again',
      headers: { 'Retry-After': String(seconds) },
    };
  }
  if (!(error instanceof Error)) return { status: 500, title: 'Internal error' };
  if (error instanceof NotFoundError || error instanceof UnknownListenerError)
    return { status: 404, title: 'Not found', detail: error.message };
  if (error instanceof NoAnswerError || error instanceof ListenerSilentError)
    return { status: 503, title: 'Unavailable', detail: error.message };
  if (error instanceof ForbiddenError)
    return { status: 403, title: 'Forbidden', detail: error.message };
  if (error instanceof SourceOffError)
    return { status: 503, title: 'Unavailable', detail: 'the source is off' };
  if (isRejected(error)) {
    return { ...REJECTIONS[error.reason], detail: error.message, reason: error.reason };
  }
  if (error instanceof EventTooLargeError) {
    return { status: 413, title: 'Body too large', detail: error.message };
  }
  if (error instanceof EncodingError) {
    return {
      status: 415,
      title: 'Unsupported content encoding',
      detail: error.message,
      headers: { 'Accept-Encoding': error.supported.join(', ') },
    };
  }
  const refusal = toRefusal(error);
  if (refusal !== undefined) return refusal;
  if (isTemporary(error)) {
    const headers = { 'Retry-After': '1' };
    return { status: 503, title: 'Unavailable', detail: 'Temporal did not answer', headers };
  }
  return { status: 500, title: 'Internal error' };
}

/** By what it has, because a source may be made by another copy of the package. */
function isRejected(error: Error): error is RejectedError {
  return 'reason' in error && Object.hasOwn(REJECTIONS, String(error.reason));
}

/** What is wrong with how it was asked. */
function toRefusal(error: Error): Problem | undefined {
  const detail = error.message;
  if (isMalformedPath(error)) {
    return { status: 400, title: 'Bad request', detail: 'malformed percent-encoding in the path' };
  }
  if (error instanceof ListenerConflictError) return { status: 409, title: 'Conflict', detail };
  if (error instanceof UnauthorizedError) {
    const headers = { 'WWW-Authenticate': 'Bearer' };
    return { status: 401, title: 'Unauthorized', detail, headers };
  }
  if (error instanceof MethodError) {
    return { status: 405, title: 'Method not allowed', detail, headers: { Allow: error.allowed } };
  }
  if (error instanceof MediaTypeError) {
    const headers = { Accept: error.accepted };
    return { status: 415, title: 'Unsupported media type', detail, headers };
  }
  // `Retry-After` is there already.
  if (error instanceof RateLimitError) return { status: 429, title: 'Too many requests', detail };
  if (error instanceof BatchError) {
    const isTooLarge = error.events.every(({ status }) => status === 413);
    const status = isTooLarge ? 413 : 400;
    return { status, title: 'Wrong events in the batch', detail, events: error.events };
  }
  return undefined;
}

/** As the router of Express says it. Any other is a fault of ours. */
function isMalformedPath(error: Error): boolean {
  return error instanceof URIError && 'status' in error && error.status === 400;
}

function toLogLine(asked: string, error: unknown): string {
  if (error instanceof UnavailableError || error instanceof SourceOffError) {
    return `${asked} unavailable: ${error.message}`;
  }
  return `${asked} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

function sendProblem(response: Response, { headers = {}, ...problem }: Problem): void {
  response
    .status(problem.status)
    .set(headers)
    .type('application/problem+json')
    .send(JSON.stringify({ ...problem, requestId: requestIdOf(response) }));
}

/** Reads off what a refused client still sends, for a while, so that it gets to the answer. */
function drain(request: IncomingMessage): void {
  if (request.complete) return;
  const hangUp = setTimeout(() => request.socket.destroy(), DRAIN_MS_MAX);
  request.once('close', () => clearTimeout(hangUp));
  request.resume();
}
