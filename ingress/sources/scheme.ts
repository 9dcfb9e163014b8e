// How a sender proves that a request is its own: verifying and signing, side by side.

import { timingSafeEqual } from 'node:crypto';

import type { Duration } from '@temporalio/common';
import { msToNumber } from '@temporalio/common/lib/time.js';

import { ConfigError } from '../../config/errors.ts';
import {
  RejectedError,
  SigningError,
  type Draft,
  type Signing,
  type SourceRequest,
} from './source.ts';

/** How far the clock of a sender may be from that of the ingress, if nothing else is said. */
export const TOLERANCE_DEFAULT: Duration = '5 minutes';

/** A way to sign, with its secrets. */
export interface Scheme {
  /** The environment variables that it lacks. */
  readonly missing: readonly string[];
  /**
   * When the request was signed, if the signature covers that.
   *
   * @throws RejectedError if the request is not the sender's
   */
  verify(request: SourceRequest): Date | undefined | Promise<Date | undefined>;
  /** @throws SigningError if there is nothing to sign with */
  sign(draft: Draft, signing: Signing): Draft;
}

/** What a source says that has no secret, because its configuration says so. */
export const NO_SCHEME: Scheme = {
  missing: [],
  verify: () => undefined,
  sign: (draft) => draft,
};

/** Whether the configuration says that nothing is verified. */
export function isUnverified(options: unknown): options is { readonly verify: 'none' } {
  if (typeof options !== 'object' || options === null || !('verify' in options)) return false;
  if (options.verify === 'none') return true;
  if (options.verify === undefined) return false;
  throw new ConfigError(`verify is ${JSON.stringify(options.verify)}, must be 'none' or left out`);
}

/**
 * The value of a header that comes once.
 *
 * @throws RejectedError if it is missing, empty, or came more than once
 */
export function signatureHeader(request: SourceRequest, name: string): string {
  const value = request.headers[name];
  if (value === undefined || value === '') throw unsigned(`the header ${name} is missing`);
  if (request.repeatedHeaders.has(name)) throw unsigned(`the header ${name} came more than once`);
  return value;
}

/** The request is not the sender's, or nobody can tell. */
export function unsigned(message = 'the signature is not that of the request'): RejectedError {
  return new RejectedError('SIGNATURE', message);
}

/** Compares in a time that tells nothing of either but their length. */
export function isEqual(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Compares with all of them, so that the time does not tell which it was. */
export function isOneOf(candidate: string, values: readonly string[]): boolean {
  return values.filter((value) => isEqual(candidate, value)).length > 0;
}

/**
 * The time that a header says, in whole seconds or milliseconds since 1970.
 *
 * @throws RejectedError if it is missing or no such number
 */
export function timestampHeader(
  request: SourceRequest,
  name: string,
  unit: 'seconds' | 'milliseconds' = 'seconds',
): { readonly text: string; readonly at: Date } {
  const text = signatureHeader(request, name);
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw new RejectedError('TIMESTAMP', `the header ${name} is not a time`);
  }
  return { text, at: new Date(Number(text) * (unit === 'seconds' ? 1_000 : 1)) };
}

/** The time as senders write it. */
export function toUnixSeconds(at: Date): string {
  return String(Math.floor(at.getTime() / 1_000));
}

/**
 * The tolerance in milliseconds.
 *
 * @throws ConfigError if it is no duration, or not above 0
 */
export function resolveTolerance(tolerance: Duration, kind: string): number {
  let ms = Number.NaN;
  try {
    ms = msToNumber(tolerance);
  } catch {
    // Text that is not a duration: said below, like every other value that is not.
  }
  if (ms > 0) return ms;
  throw new ConfigError(
    `${kind}: tolerance is ${String(tolerance)}, must be milliseconds or text such as '5 minutes'`,
  );
}

/** The key that a draft is signed with. */
export function signingSecret(secrets: readonly string[], kind: string): string {
  const [secret] = secrets;
  if (secret === undefined) throw new SigningError(`${kind} has no secret to sign with`);
  return secret;
}
