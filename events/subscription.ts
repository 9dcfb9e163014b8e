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
  /** Tells the run that registered it from the others of its workflow: see `runTag`. */
  readonly run?: string;
  /** What it costs every event that no index serves its filter. */
  readonly unindexed?: number;
}

/** A running workflow's interest in a source. */
export interface Subscription extends Registration {
  /** The source's version at which it was registered: its place in the source's order. */
  readonly seq: number;
  /** The version at which it was changed since. */
  readonly changed?: number;
  /** When it was registered, in milliseconds since 1970. */
  readonly since?: number;
  /** The version at which it was made to get events again, if it had been suspended. */
  readonly resumed?: number;
  /** It gets no events: its workflow takes no more, until it continues as new. */
  readonly suspended?: true;
  /** How many events its workflow refused. */
  readonly undeliverable?: number;
}

/** The version from which on it is as it is. */
export function versionOf({ seq, changed = seq }: Subscription): number {
  return changed;
}

/**
 * The version from which on it gets events, or did until it was suspended: whoever matched an event
 * as of a version before did not find it, even if its place in the source's order is before that.
 */
export function receivesFrom({ seq, resumed = seq }: Subscription): number {
  return resumed;
}

/** As much of a run id as tells the runs of one workflow apart. It begins with the time. */
export function runTag(runId: string): string {
  return runId.slice(-8);
}
