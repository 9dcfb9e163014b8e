// What the sender of an event gets from the workflow that its event was given to, where the
// trigger has `respond`.

import type { ServerResponse } from 'node:http';

import type { Response } from 'express';

import type { Answer } from '../dispatch/dispatcher.ts';
import type { HttpResponse } from '../workflows/messages.ts';
import { requestIdOf } from './request-id.ts';

/** Ends when the client is gone. */
export function untilGone(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return gone.signal;
}

/** Sends the answer as the workflow gave it, or says that there is none. */
export function sendAnswer(
  response: Response,
  answer: Answer,
  headers: Readonly<Record<string, string>>,
): void {
  if (answer.kind !== 'response') {
    const problem = PROBLEMS[answer.kind];
    const body = JSON.stringify({ ...problem, requestId: requestIdOf(response) });
    response.writeHead(problem.status, { ...headers, ...lengthOf(body), ...PROBLEM_TYPE });
    response.end(body);
    return;
  }
  sendResponse(response, answer.response, headers);
}

/** Sends what a workflow or a handler answers. Its own headers come before others. */
export function sendResponse(
  response: ServerResponse,
  { status, headers: own = {}, body }: HttpResponse,
  headers: Readonly<Record<string, string>> = {},
): void {
  const code = status ?? (body === undefined ? NO_CONTENT : 200);
  const isText = typeof body === 'string';
  const isEmpty = body === undefined || BODILESS.has(code);
  const content = isEmpty ? '' : isText ? body : JSON.stringify(body);
  const isTyped = Object.keys(own).some((name) => name.toLowerCase() === 'content-type');
  response.writeHead(code, {
    ...headers,
    ...(!isEmpty && {
      ...(!isTyped && { 'Content-Type': isText ? TEXT_TYPE : 'application/json' }),
      // What a sender asked to have back is not to be read as anything else.
      'X-Content-Type-Options': 'nosniff',
    }),
    ...own,
    ...(code !== NO_CONTENT && code !== NOT_MODIFIED && lengthOf(content)),
  });
  response.end(content);
}

const TEXT_TYPE = 'text/plain; charset=utf-8';

/** The statuses that have no length of a body either. */
const NO_CONTENT = 204;
const NOT_MODIFIED = 304;

/** What the protocol has no body for. */
const BODILESS: ReadonlySet<number> = new Set([NO_CONTENT, 205, NOT_MODIFIED]);

const PROBLEM_TYPE = { 'Content-Type': 'application/problem+json' };

/** The event is accepted in any case: sending it again asks for the same answer. */
const PROBLEMS = {
  late: {
    status: 504,
    title: 'No answer in time',
    detail: 'the event is accepted, and its workflow goes on',
  },
  none: {
    status: 502,
    title: 'No answer',
    detail: 'the event was accepted, and its workflow has ended without an answer',
  },
} as const;

function lengthOf(text: string): Record<string, string> {
  return { 'Content-Length': String(Buffer.byteLength(text)) };
}
