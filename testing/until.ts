import { setTimeout as sleep } from 'node:timers/promises';

import { WaitError } from './errors.ts';

/** How long a condition may take: long, because machines are slow when they are busy. */
const WAIT_MS_MAX = 60_000;

/** Time between two looks, in milliseconds. */
const LOOK_MS = 20;

export interface UntilOptions {
  /**
   * How long to wait, in milliseconds.
   *
   * @default 60_000
   */
  readonly timeoutMs?: number | undefined;
}

/**
 * Waits for a condition: for the first result of `look` that is not `false`, `null` or
 * `undefined`. What `look` throws ends the wait.
 *
 * @throws WaitError once the time is over
 *
 * @example
 * await until('the order is paid', async () => (await orders.find('A-17')).isPaid);
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | false | null | undefined> | T | false | null | undefined,
  { timeoutMs = WAIT_MS_MAX }: UntilOptions = {},
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
    if (Date.now() > deadline) throw new WaitError(`waited ${timeoutMs} ms in vain until ${what}`);
    await sleep(LOOK_MS);
  }
}
