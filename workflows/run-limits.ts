// How much one run can take. At 10,000 signals the server refuses more, and at 50 MiB of
// history it terminates the workflow, with everything unread in it: the library stops before.

import { workflowInfo } from '@temporalio/workflow';

import type { Inbox } from './inbox.ts';

/** At so many signals a run gets no more events. */
export const SIGNALS_PER_RUN_MAX = 8_000;

/** ... or at so much history, in bytes. */
export const HISTORY_BYTES_MAX = 35 * 1024 * 1024;

/** Whether the run has taken this share of what it can. */
export function isRunFull(inbox: Inbox, share: number): boolean {
  return (
    inbox.signals >= share * SIGNALS_PER_RUN_MAX ||
    workflowInfo().historySize >= share * HISTORY_BYTES_MAX
  );
}
