import type { Event } from './event.ts';

/** Longest summary of a workflow, in characters; the server takes 400 bytes. */
const SUMMARY_LENGTH_MAX = 130;

/** A static rule: an event of this source that matches the filter starts this workflow. */
export interface Trigger {
  readonly name: string;
  readonly source: string;
  /** A CEL expression; empty wants every event. It gates only what the trigger starts. */
  readonly filter: string;
  /** The name of the workflow function. It is called with the event. */
  readonly workflow: string;
  readonly taskQueue: string;
  /**
   * Gives the workflow's id, after the trigger's name: the event starts that workflow, or feeds
   * it while it runs. Without it every event starts a workflow of its own. Written by users:
   * it may throw, and give anything.
   */
  readonly workflowId?: (event: Event) => unknown;
  /** The sender waits for the workflow's answer, at most so long. */
  readonly respondMsMax?: number;
}

/** Why a workflow was started, as the Temporal UI shows it: `on-order: post 4f1c of orders`. */
export function toSummary(trigger: Pick<Trigger, 'name'>, event: Event): string {
  const { type, id, source } = event;
  return `${trigger.name}: ${type} ${id} of ${source}`.slice(0, SUMMARY_LENGTH_MAX);
}
