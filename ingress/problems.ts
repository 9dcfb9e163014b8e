// What went wrong as an answer: problem details of RFC 9457. A class of error has one
// status, and everything that is not known here is our fault and says nothing of itself.

import type { IncomingMessage } from 'node:http';

import type { ErrorRequestHandler, Response } from 'express';

import { UnavailableError } from '../dispatch/errors.ts';
import { EncodingError, RequestAbortedError } from './body.ts';
import type { RejectedError, RejectionReason } from './sources/source.ts';

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

interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail?: string;
  readonly reason?: RejectionReason;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers every error of the ingress, and logs those that are not the sender's. */
export function answerProblems(log: (line: string) => void): ErrorRequestHandler {
  // Express knows an error handler by its four parameters.
  // oxlint-disable-next-line max-params
  return (error: unknown, request, response, next) => {
    if (error instanceof RequestAbortedError) return;
    const problem = toProblem(error);
    if (problem.status >= 500) log(toLogLine(`${request.method} ${request.originalUrl}`, error));
    if (response.headersSent) {
      next(error); // Express cuts the connection, so that nobody takes half an answer for one.
      return;
    }
    sendProblem(response, problem);
    drain(request);
  };
}

function toProblem(error: unknown): Problem {
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
  if (error instanceof NotFoundError)
    return { status: 404, title: 'Not found', detail: error.message };
  if (error instanceof NoAnswerError)
    return { status: 503, title: 'Unavailable', detail: error.message };
  if (error instanceof ForbiddenError)
    return { status: 403, title: 'Forbidden', detail: error.message };
  if (error instanceof SourceOffError)
    return { status: 503, title: 'Unavailable', detail: 'the source is off' };
  if (isRejected(error)) {
    return { ...REJECTIONS[error.reason], detail: error.message, reason: error.reason };
  }
  if (error instanceof EncodingError) {
    return {
      status: 415,
      title: 'Unsupported content encoding',
      detail: error.message,
      headers: { 'Accept-Encoding': error.supported.join(', ') },
    };
  }
  return { status: 500, title: 'Internal error' };
}

/** By what it has, because a source may be made by another copy of the package. */
function isRejected(error: Error): error is RejectedError {
  return 'reason' in error && Object.hasOwn(REJECTIONS, String(error.reason));
}

function toLogLine(request: string, error: unknown): string {
  if (error instanceof UnavailableError || error instanceof SourceOffError) {
    return `${request} unavailable: ${error.message}`;
  }
  return `${request} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

function sendProblem(response: Response, { headers = {}, ...problem }: Problem): void {
  response
    .status(problem.status)
    .set(headers)
    .type('application/problem+json')
    .send(JSON.stringify(problem));
}

/** Reads off what a refused client still sends, for a while, so that it gets to the answer. */
function drain(request: IncomingMessage): void {
  if (request.complete) return;
  const hangUp = setTimeout(() => request.socket.destroy(), DRAIN_MS_MAX);
  request.once('close', () => clearTimeout(hangUp));
  request.resume();
}
