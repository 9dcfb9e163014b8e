// What an answer over HTTP means for its delivery.

import { STATUS_CODES } from 'node:http';

import type { Answer, SendResult } from './transport.ts';

const GONE = 410;

/** The longest wait that is understood, in milliseconds. Whoever retries makes it shorter still. */
const RETRY_AFTER_MS_MAX = 7 * 24 * 3_600_000;

/** How dates begin in HTTP. */
const DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/;

/** By its head: what is wrong with its body changes nothing. */
export function toResult(answer: Answer): SendResult {
  const { status, headers = {} } = answer;
  const isSuccessful = status >= 200 && status < 300;
  const retryAfterMs = isSuccessful ? undefined : toRetryAfterMs(headers['retry-after']);
  return {
    isSuccessful,
    message: toMessage(status),
    answer,
    ...(status === GONE && { isGone: true }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

/** In the words of the standard, whatever the receiver calls it. */
function toMessage(status: number): string {
  const message = `${status} ${STATUS_CODES[status] ?? ''}`.trimEnd();
  return status >= 300 && status < 400 ? `${message}: redirects are not followed` : message;
}

/** Seconds, or a date. */
function toRetryAfterMs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const isSeconds = /^\d{1,9}$/.test(value);
  if (!isSeconds && !DATE.test(value)) return undefined;
  const ms = isSeconds ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(Math.ceil(ms), 0), RETRY_AFTER_MS_MAX);
}
