// For how long an event that comes again starts nothing again, said at the start.

import type { Connection } from '@temporalio/client';

/** A namespace that keeps ended workflows for less is warned about, in days. */
const RETENTION_DAYS_MIN = 30;

const SECONDS_PER_DAY = 24 * 60 * 60;

/** Time for Temporal to answer, in milliseconds. */
const ANSWER_MS_MAX = 5_000;

/** One line; none if this process may not know. */
export async function describeRetention(
  connection: Connection,
  namespace: string,
): Promise<string | undefined> {
  try {
    const { config } = await connection.withDeadline(Date.now() + ANSWER_MS_MAX, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
    return toLine(namespace, Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0));
  } catch {
    // An API key may be for workflows only, and nothing depends on the line.
    return undefined;
  }
}

function toLine(namespace: string, seconds: number): string {
  const days = Math.round((10 * seconds) / SECONDS_PER_DAY) / 10;
  const isShort = seconds < RETENTION_DAYS_MIN * SECONDS_PER_DAY;
  return (
    `namespace ${namespace} keeps workflows for ${days} days after their end: an event that comes ` +
    'again later than that starts its workflow again' +
    (isShort ? ` (warning: less than ${RETENTION_DAYS_MIN} days)` : '')
  );
}
