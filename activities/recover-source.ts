// What a source held when somebody terminated it. Everything that ever changed it is in its
// history: the state that its last run began with, every signal since, and every part of the
// backlog that was dispatched. The same pure steps as in the workflow make the state again.

import type { SourceChange, SourceRuns } from '../dispatch/source-runs.ts';
import {
  Source,
  type Recovered,
  type SourceInput,
  type SourceState,
} from '../workflows/source-state.ts';
import type { BacklogRequest } from './backlog.ts';

/** The state that the run before this one had at its end; undefined if there was none. */
export async function recoverSource(
  runs: SourceRuns,
  source: string,
  runId: string,
): Promise<SourceState | undefined> {
  const previous = await runs.before(source, runId);
  if (previous === undefined) return undefined;
  const replayed = replaySource(await runs.changes(source, previous));
  // It was terminated before it knew what the one before it had held.
  if (replayed.isRecovering) replayed.endRecovery(await recoverSource(runs, source, previous));
  return replayed.toState();
}

/** A source that these changes were made to, from the begin of a run. */
export function replaySource(changes: readonly SourceChange[]): Source {
  let source = new Source(undefined);
  let firstRunId = '';
  const scheduled = new Map<string, { readonly type: string; readonly input: unknown }>();
  const recovered: Recovered[] = [];
  for (const change of changes) {
    switch (change.kind) {
      case 'started': {
        const { state, isFirst } = change.input as SourceInput;
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
        break;
      case 'completed': {
        const { type, input } = scheduled.get(change.id) ?? {};
        if (type === 'nexteventDispatchBacklog') {
          source.dispatched((input as BacklogRequest).entries.length);
        } else if (type === 'nexteventRecover') {
          recovered.push(change.result as Recovered);
          if (!recovered.at(-1)?.hasMore) source.endRecovery(joinRecovered(recovered));
        }
        break;
      }
    }
  }
  return source;
}

/** The whole state, of which each answer has a part of the backlog. */
function joinRecovered(answers: readonly Recovered[]): SourceState | undefined {
  const state = answers[0]?.state;
  return state && { ...state, backlog: answers.flatMap(({ backlog }) => backlog) };
}
