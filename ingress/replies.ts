// What the sender of an event gets from the workflow that its event was given to, where the
// trigger has `respond`.

import type { ServerResponse } from 'node:http';

import type { Answer } from '../dispatch/dispatcher.ts';

/** Ends when the client is gone. */
export function untilGone(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return gone.signal;
}

/** Sends the answer as the workflow gave it, or says that there is none. */
export function sendAnswer(
  response: ServerResponse,
  answer: Answer,
  headers: Readonly<Record<string, string>>,
): void {
  if (answer.kind !== 'response') {
    const problem = PROBLEMS[answer.kind];
    const body = JSON.stringify(problem);
    response.writeHead(problem.status, { ...headers, ...lengthOf(body), ...PROBLEM_TYPE });
    response.end(body);
    return;
  }
  const { status, headers: own = {}, body } = answer.response;
  const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
  const type = typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
  const isTyped = Object.keys(own).some((name) => name.toLowerCase() === 'content-type');
  response.writeHead(status ?? (text === undefined ? 204 : 200), {
    ...headers,
    ...own,
    ...(text !== undefined && { ...lengthOf(text), ...(!isTyped && { 'Content-Type': type }) }),
  });
  response.end(text);
}

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
