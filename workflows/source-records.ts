// The records of a source: they cross continue-as-new and are results of activities, and so are
// in histories. Add to them, never change.

import type { Subscription, SubscriptionId } from '../events/subscription.ts';
import type { PlacedEntry } from './messages.ts';

export type Removal = readonly [version: number, id: SubscriptionId];

export interface SourceState {
  readonly version: number;
  /** In the order of their versions. */
  readonly subscriptions: readonly Subscription[];
  /** The last removals, oldest first. */
  readonly removals: readonly Removal[];
  /** Removals up to this version are forgotten. */
  readonly forgotten: number;
  /** Oldest first. */
  readonly backlog: readonly PlacedEntry[];
}

/** What a run of a source workflow begins with. */
export interface SourceInput {
  readonly source: string;
  readonly state?: SourceState;
  /** When it was last swept, in milliseconds since 1970. */
  readonly sweptAt?: number;
  /** Who started it had just seen that there was no such source, so that nothing is missing. */
  readonly isFirst?: true;
  /** The run before, if who started this chain saw that it had ended. */
  readonly previousRunId?: string;
  /** For tests: a smaller number of signals per run. */
  readonly signalsPerRun?: number;
  /** For tests: a shorter time between sweeps. */
  readonly sweepMs?: number;
}

/** What the run before held, and a part of its backlog: an answer has at most 2 MiB. */
export interface Recovered {
  /** The run that this is of: the next answer has to be of the same. */
  readonly runId?: string;
  /** Without its backlog, and only in the first answer. Absent if there was no run before. */
  readonly state?: SourceState;
  readonly backlog: readonly PlacedEntry[];
  readonly hasMore: boolean;
}
