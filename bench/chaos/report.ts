// How a workflow says what it has done. It is an ordinary activity: it is scheduled by the commit
// of the very task in which the workflow got there, so what it tells is durable when it runs.

import type { SubscriptionId } from '../../events/subscription.ts';
import type { Wanted } from './filters.ts';

export type Report = { readonly firstRunId: string } & (
  | {
      /** `subscribe` has returned. */
      readonly kind: 'held';
      readonly subscription: SubscriptionId;
      readonly wanted: Wanted;
    }
  /** The command that the subscription was to get has come, and what it says is done. */
  | { readonly kind: 'released' | 'drained'; readonly subscription: SubscriptionId }
  | { readonly kind: 'continued'; readonly runs: number }
);

/** A message of a worker's process to the bench's. */
export interface ReportMessage {
  readonly type: 'report';
  readonly report: Report;
}

/** Fails until the message is out of this process, which may be killed at any moment. */
export async function report(given: Report): Promise<void> {
  const message: ReportMessage = { type: 'report', report: given };
  await new Promise<void>((resolve, reject) => {
    if (!process.send) throw new Error('this process was not started by the bench');
    process.send(message, undefined, undefined, (error) => (error ? reject(error) : resolve()));
  });
}
