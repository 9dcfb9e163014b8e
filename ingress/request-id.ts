import type { IncomingMessage, ServerResponse } from 'node:http';

const HEADER = 'x-request-id';

/** What is taken for an id of a request, and not for something else that somebody sends. */
const REQUEST_ID = /^[\w.:/+=-]{1,128}$/;

/** The id of the request: that of its answer, or the one that a proxy gave it. */
export function requestIdOf(
  request: IncomingMessage,
  response: ServerResponse,
): string | undefined {
  const id = response.getHeader(HEADER) ?? request.headers[HEADER];
  return typeof id === 'string' && REQUEST_ID.test(id) ? id : undefined;
}
