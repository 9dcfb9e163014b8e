import { defineSignal } from '@temporalio/workflow';

/** An event that a workflow got. */
export interface Receipt {
  readonly id: string;
  /** When its workflow task began, in milliseconds since 1970. */
  readonly at: number;
}

/** One subscription, and the event that was posted for it. */
export interface Cycle {
  readonly isLost: boolean;
  /** From the acknowledgement to the workflow. */
  readonly afterMs: number;
  /** It went by way of the backlog. */
  readonly queued: boolean;
}

export interface Posting {
  readonly to: string;
  readonly id: string;
  readonly end?: true;
}

export interface Posted {
  /** In milliseconds since 1970. */
  readonly acknowledgedAt: number;
  /** From the request to its answer. */
  readonly tookMs: number;
  readonly queued: boolean;
}

export const bareSignal = defineSignal<[{ readonly end: boolean }]>('bare');
