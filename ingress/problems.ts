// What went wrong as an answer: problem details of RFC 9457. A class of error has one
// status, and everything that is not known here is our fault and says nothing of itself.

import type { IncomingMessage } from 'node:http';

import type { ErrorRequestHandler, Request, Response } from 'express';

import { redactHeaders, type Log } from '../config/log.ts';
import { UnavailableError } from '../dispatch/errors.ts';
import { BodyTooLargeError, EncodingError, RequestAbortedError } from './body.ts';
import { requestIdOf } from './request-id.ts';
import { RequestError } from './sources/source.ts';
import type { IngressObserver } from './telemetry.ts';

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

interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers every error of the ingress, and logs those that are not the sender's. */
export function answerProblems(log: Log, observer?: IngressObserver): ErrorRequestHandler {
  // Express knows an error handler by its four parameters.
  // oxlint-disable-next-line max-params
  return (error: unknown, request, response, next) => {
    if (error instanceof RequestAbortedError) return;
    const problem = toProblem(error);
    const path = pathOf(request);
    const requestId = requestIdOf(request, response);
    const { status } = problem;
    // The address behind the proxies that the application trusts.
    const remoteAddress = request.ip ?? null;
    observer?.rejected({ error, status, path, remoteAddress, requestId: requestId ?? null });
    const entry = { status, path, method: request.method, remoteAddress, requestId };
    if (status >= 500) {
      log(toLogLine(`${request.method} ${path}`, error), { ...entry, level: 'error', error });
    } else {
      const headers = redactHeaders(request.headers);
      const line = `${request.method} ${path} refused: ${status} ${problem.title}`;
      log(line, { ...entry, headers, level: 'debug' });
    }
    if (response.headersSent) {
      next(error); // Express cuts the connection, so that nobody takes half an answer for one.
      return;
    }
    sendProblem(response, problem);
    drain(request);
  };
}

/** Without its query, which may hold a secret. */
function pathOf({ originalUrl }: Request): string {
  return originalUrl.split('?', 1)[0] ?? '';
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
  if (error instanceof RequestError)
    return { status: 400, title: 'Bad request', detail: error.message };
  if (error instanceof BodyTooLargeError) {
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
  return { status: 500, title: 'Internal error' };
}

function toLogLine(request: string, error: unknown): string {
  if (error instanceof UnavailableError) return `${request} unavailable: ${error.message}`;
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
