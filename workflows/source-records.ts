// The records of a source: they cross continue-as-new and are results of activities, and so are
// in histories. Add to them, never change.

import type { Layer, Operations } from '../events/operation.ts';
import type { Subscription, SubscriptionId } from '../events/subscription.ts';
import type { PlacedEntry, SegmentReference } from './messages.ts';

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
  /** On subscriptions that are in segments, or may be. */
  readonly operations?: readonly Operations[];
  /** What is on its way into a segment. */
  readonly moving?: Layer;
  /** Oldest first. */
  readonly segments?: readonly SegmentReference[];
  /** Those that are being merged. */
  readonly merging?: Merging;
  /** How many have ever been made: the number of the next. */
  readonly segmentsMade?: number;
  /** Those that have been merged, and may still be read. */
  readonly obsolete?: readonly ObsoleteSegment[];
}

/** Segments that are next to each other. */
export interface Merging {
  readonly from: number;
  readonly count: number;
}

export interface ObsoleteSegment {
  readonly segment: SegmentReference;
  /** When it was replaced, in milliseconds since 1970. */
  readonly at: number;
}

/** What an activity made of segments. */
export interface Merged {
  /** In the place of those that were merged. */
  readonly segments: readonly SegmentReference[];
  /** The last version of a removal that is not to be found in them any more. */
  readonly removedUpTo: number;
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
  /** For tests: a shorter time for which segments are kept that were merged. */
  readonly graceMs?: number;
  /** For tests: how much is in memory before some of it moves to a segment, in bytes. */
  readonly hotBytesMax?: number;
}

/** What the run before held, or a part of it: an answer has at most 2 MiB. */
export interface Recovered {
  /** The run that this is of: the next answer has to be of the same. */
  readonly runId?: string;
  /** Without what comes in parts, and only in the first answer. Absent if there was no run before. */
  readonly state?: SourceState;
  readonly subscriptions?: readonly Subscription[];
  readonly operations?: readonly Operations[];
  readonly obsolete?: readonly ObsoleteSegment[];
  readonly backlog: readonly PlacedEntry[];
  readonly hasMore: boolean;
}
