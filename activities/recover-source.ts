// What a source held when somebody terminated it. Everything that ever changed it is in its
// history: the state that its last run began with, every signal since, every part of the backlog
// that was dispatched, and every segment that was written. The same pure steps as in the workflow make the state again.

import type { SourceChange, SourceRuns } from '../dispatch/source-runs.ts';
import type { SegmentReference } from '../workflows/messages.ts';
import { joinRecovered } from '../workflows/recovered.ts';
import type { Merged, Recovered, SourceInput, SourceState } from '../workflows/source-records.ts';
import { Source } from '../workflows/source-state.ts';
import type { BacklogRequest } from './backlog.ts';
import type { DropRequest, MergeRequest, SegmentRequest } from './segments.ts';

/** The state that a run had at its end; `undefined` if it was deleted. */
export async function recoverSource(
  runs: SourceRuns,
  source: string,
  runId: string,
): Promise<SourceState | undefined> {
  const changes = await runs.changes(source, runId);
  if (changes.length === 0) return undefined;
  const { recovered, previousRunId } = replaySource(changes);
  // It was terminated before it knew what the one before it had held.
  if (recovered.isRecovering) {
    const before = previousRunId ?? (await runs.before(source, runId));
    const state = before === undefined ? undefined : await recoverSource(runs, source, before);
    recovered.endRecovery(state);
  }
  return recovered.toState();
}

type Scheduled = SourceChange & { readonly kind: 'scheduled' };
type Completed = SourceChange & { readonly kind: 'completed' };

export interface Replayed {
  readonly recovered: Source;
  /** The run before, as whoever started this chain knew it. */
  readonly previousRunId: string | undefined;
}

/** A source that these changes were made to, from the begin of a run. */
export function replaySource(changes: readonly SourceChange[]): Replayed {
  let previousRunId: string | undefined;
  let source = new Source(undefined);
  let firstRunId = '';
  const scheduled = new Map<string, Scheduled>();
  const answers: Recovered[] = [];
  for (const change of changes) {
    switch (change.kind) {
      case 'started': {
        const { state, isFirst, previousRunId: previous } = change.input as SourceInput;
        previousRunId = previous;
        firstRunId = change.firstRunId;
        source = new Source(state);
        if (state === undefined && !isFirst) source.beginRecovery();
        break;
      }
      case 'signal':
        source.apply(change.name, change.argument, { nowMs: change.at, firstRunId });
        break;
      case 'scheduled':
        scheduled.set(change.id, change);
        begin(source, change);
        break;
      case 'completed': {
        const work = scheduled.get(change.id);
        if (work?.type === 'nexteventRecover' || work?.type === 'nexteventRecoverInParts') {
          answers.push(change.result as Recovered);
          if (!answers.at(-1)?.hasMore) source.endRecovery(joinRecovered(answers));
        } else if (work) {
          end(source, work, change);
        }
        break;
      }
    }
  }
  return { recovered: source, previousRunId };
}

/** What the workflow has done when it scheduled an activity. */
function begin(source: Source, { type, input }: Scheduled): void {
  const { layers } = source;
  if (type === 'nexteventWriteSegment') layers.resumeMove((input as SegmentRequest).layer);
  if (type === 'nexteventMergeSegments') {
    const { segments } = input as MergeRequest;
    const from = layers.cold.segments.findIndex(({ name }) => name === segments[0]?.name);
    layers.cold.beginMerge({ from, count: segments.length });
  }
}

/** What it has done when it heard of the end of one. */
function end(source: Source, { type, input }: Scheduled, { result, at }: Completed): void {
  switch (type) {
    case 'nexteventDispatchBacklog':
      source.dispatched((input as BacklogRequest).entries.length);
      break;
    case 'nexteventWriteSegment':
      source.layers.cold.moved(result as SegmentReference);
      break;
    case 'nexteventMergeSegments':
      source.merged(result as Merged, at);
      break;
    case 'nexteventDropSegments':
      source.layers.cold.dropped((input as DropRequest).segments);
      break;
  }
}
