// How many requests are taken in a minute.

import { z } from 'zod';

import { ConfigError } from './errors.ts';

const perMinute = z.int().min(1);

const rateLimitsSchema = z.strictObject({
  perSource: perMinute.optional(),
  perKey: perMinute.optional(),
});

/**
 * How many requests a process of the ingress takes in a minute. What is above is answered with 429.
 * Several processes count for themselves.
 */
export interface RateLimits {
  /**
   * From all senders to one source: to `/webhooks/<source>` and to `/events/<source>`. Webhooks are
   * counted before they are verified, so anyone can use up the limit of a webhook source.
   *
   * @default no limit
   */
  readonly perSource?: number | undefined;
  /**
   * With one API key. A batch is one request.
   *
   * @default no limit
   */
  readonly perKey?: number | undefined;
}

/** @throws ConfigError if a limit is not a whole number from 1 */
export function resolveRateLimits(given: unknown): RateLimits {
  const { data, error } = rateLimitsSchema.safeParse(given);
  if (data !== undefined) return data;
  const [issue] = error.issues;
  throw new ConfigError(`${['rateLimits', ...(issue?.path ?? [])].join('.')}: ${issue?.message}`);
}
