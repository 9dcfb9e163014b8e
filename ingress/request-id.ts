// Every request has an id, the sender's where it has one: in the answer, in problems and in logs.

import { randomUUID } from 'node:crypto';

import type { RequestHandler, Response } from 'express';

const HEADER = 'X-Request-Id';

/** What of the sender's is taken: it goes into logs as it is. */
const WELL_FORMED = /^[\w.:/+=~-]{1,128}$/;

/** Puts the id of the request into its answer, unless an application around this one has. */
export const takeRequestId: RequestHandler = (request, response, next) => {
  const given = request.get(HEADER);
  if (!response.hasHeader(HEADER)) {
    const isTaken = given !== undefined && WELL_FORMED.test(given);
    response.setHeader(HEADER, isTaken ? given : randomUUID());
  }
  next();
};

/** The id of the request that is answered. */
export function requestIdOf(response: Response): string {
  return String(response.getHeader(HEADER) ?? '');
}
