import type { Event } from './event.ts';

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
}
