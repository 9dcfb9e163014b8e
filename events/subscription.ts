/** Names one subscription: a UUID. */
export type SubscriptionId = string;

/** What a workflow asks a source for. */
export interface Registration {
  readonly id: SubscriptionId;
  /** A CEL expression; empty wants every event. */
  readonly filter: string;
  /** The workflow that waits. */
  readonly workflowId: string;
  /** The first run of that workflow, so that a workflow id used again inherits nothing. */
  readonly firstRunId: string;
}

/** A running workflow's interest in a source. */
export interface Subscription extends Registration {
  /** The source's version at which it was registered: its place in the source's order. */
  readonly seq: number;
}
