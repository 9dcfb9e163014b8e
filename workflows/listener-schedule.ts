// When attempts follow one another. Pure: whoever calls brings time and chance.

/** A delay is up to this share longer or shorter, so that what failed together is not tried together. */
const JITTER = 0.2;

/** `Retry-After` is honoured up to this, whatever the schedule says, in milliseconds. */
export const RETRY_AFTER_MS_MIN = 60_000;

/** Attempts begin together up to so many times a second: each time costs a timer. */
const TURNS_PER_SECOND = 10;

export interface Retry {
  /** What the schedule says. */
  readonly delayMs: number;
  /** What the receiver has asked for. */
  readonly retryAfterMs?: number | undefined;
  /** From 0 to 1. */
  readonly chance: number;
}

/**
 * How long after a failed attempt the next one follows, in milliseconds. What the receiver asks for
 * is honoured up to twice the delay of the schedule, or a minute where that is more.
 */
export function toRetryMs({ delayMs, retryAfterMs = 0, chance }: Retry): number {
  const jitteredMs = delayMs * (1 - JITTER + 2 * JITTER * chance);
  const askedMs = Math.min(retryAfterMs, Math.max(2 * delayMs, RETRY_AFTER_MS_MIN));
  return Math.round(Math.max(jitteredMs, askedMs));
}

/** So many attempts may begin together, and the next ones so much later. */
export interface Pace {
  readonly together: number;
  readonly everyMs: number;
}

/** A pace at which no second has more attempts in it than this. */
export function toPace(ratePerSecond: number): Pace {
  const together = Math.max(1, Math.floor(ratePerSecond / TURNS_PER_SECOND));
  const turns = together === 1 ? ratePerSecond : Math.floor(ratePerSecond / together);
  return { together, everyMs: Math.ceil(1_000 / turns) };
}
