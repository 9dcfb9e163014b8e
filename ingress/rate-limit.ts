// How many requests are taken in a minute. What was counted is in the memory of this process.

import type { Request, RequestHandler, Response } from 'express';
import { rateLimit } from 'express-rate-limit';

import type { RateLimits } from '../config/rate-limits.ts';
import { RateLimitError } from './problems.ts';

const MINUTE_MS = 60_000;

/** Counts requests by a name: that of a source, or the id of a key. */
export interface RateLimiter {
  /** @throws RateLimitError if there were too many; the answer says when to come again */
  take(request: Request, response: Response, name: string): Promise<void>;
}

/** The limits that there are, made into what counts. */
export interface RateLimiters {
  readonly source: RateLimiter | undefined;
  readonly key: RateLimiter | undefined;
}

export function createRateLimiters({ perSource, perKey }: RateLimits = {}): RateLimiters {
  return { source: createRateLimiter('source', perSource), key: createRateLimiter('key', perKey) };
}

function createRateLimiter(what: string, perMinute: number | undefined): RateLimiter | undefined {
  if (perMinute === undefined) return undefined;
  const names = new WeakMap<Request, string>();
  const limit: RequestHandler = rateLimit({
    windowMs: MINUTE_MS,
    limit: perMinute,
    identifier: what,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    keyGenerator: (request) => names.get(request) ?? '',
    handler(request, _response, next) {
      const of = `${what} ${names.get(request)}`;
      next(new RateLimitError(`more than ${perMinute} requests in a minute for the ${of}`));
    },
  });
  return {
    take: (request, response, name) =>
      new Promise((resolve, reject) => {
        names.set(request, name);
        limit(request, response, (error?: unknown) => {
          if (error instanceof Error) reject(error);
          else resolve();
        });
      }),
  };
}
