// What a source held when somebody terminated it. Everything that ever changed it is in its
// history: the state that its last run began with, every signal since, and every part of the
// backlog that was dispatched. The same pure steps as in the workflow make the state again.

import type { SourceChange, SourceRuns } from '../dispatch/source-runs.ts';
import type { Recovered, SourceInput, SourceState } from '../workflows/source-records.ts';
import { Source } from '../workflows/source-state.ts';
import type { BacklogRequest } from './backlog.ts';

/** The state that a run had at its end. */
export async function recoverSource(
  runs: SourceRuns,
  source: string,
  runId: string,
): Promise<SourceState | undefined> {
  const { recovered, previousRunId } = replaySource(await runs.changes(source, runId));
  // It was terminated before it knew what the one before it had held.
  if (recovered.isRecovering) {
    const before = previousRunId ?? (await runs.before(source, runId));
    const state = before === undefined ? undefined : await recoverSource(runs, source, before);
    recovered.endRecovery(state);
  }
  return recovered.toState();
}

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
  const scheduled = new Map<string, { readonly type: string; readonly input: unknown }>();
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
        break;
      case 'completed': {
        const { type, input } = scheduled.get(change.id) ?? {};
        if (type === 'nexteventDispatchBacklog') {
          source.dispatched((input as BacklogRequest).entries.length);
        } else if (type === 'nexteventRecover') {
          answers.push(change.result as Recovered);
          if (!answers.at(-1)?.hasMore) source.endRecovery(joinRecovered(answers));
        }
        break;
      }
    }
  }
  return { recovered: source, previousRunId };
}

/** The whole state, of which each answer has a part of the backlog. */
function joinRecovered(answers: readonly Recovered[]): SourceState | undefined {
  const state = answers[0]?.state;
  return state && { ...state, backlog: answers.flatMap(({ backlog }) => backlog) };
}
