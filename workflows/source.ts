// The entity workflow of a source: it owns the subscriptions and the backlog.
//
// Everything that changes it is a signal, because the server takes few updates at once.
// One handler takes all of them, so that signals that were waiting when a run began are
// taken in the order in which they came, whatever their names. Handlers run before the
// main loop does, in the same workflow task, and the main loop then writes the memo: so
// the memo is never behind what a finished task has changed.

import {
  CancellationScope,
  condition,
  makeContinueAsNewFunc,
  patched,
  proxyActivities,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
  sleep,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';

import type { createBacklogActivities } from '../activities/backlog.ts';
import type { createCareActivities } from '../activities/care.ts';
import type { Event } from '../events/event.ts';
import { changesQuery, type PlacedEntry } from './messages.ts';
import { sourceDetails } from './details.ts';
import type { SourceInput } from './source-records.ts';
import { Source } from './source-state.ts';

/**
 * After this many signals, or events in its history, a run continues as new. The server would
 * let it have ten times more. But a signal that comes while the last task of a run is on its
 * way makes that task be done again, with a replay of the whole run, and until then the server
 * refuses every signal: the shorter the run, the shorter is that.
 */
export const SIGNALS_PER_RUN = 1_000;
const HISTORY_EVENTS_PER_RUN = 2_500;

/** It no longer waits for its activity to end after this many signals: at 10,000 it is ended. */
const SIGNALS_PER_RUN_MAX = 5_000;

/** What the next run is given at the most, in bytes: above 2 MiB the server ends the workflow. */
const CARRIED_BYTES_MAX = 1.9 * 1024 * 1024;

/** The server delays the next run of one that continues as new sooner than this. */
const RUN_MS_MIN = 1_500;

/** How many entries of the backlog one activity dispatches. */
const ENTRIES_PER_DISPATCH = 200;

/** How often it looks for subscriptions whose workflow ended without a word. */
export const SWEEP_MS = 10 * 60_000;

const { nexteventDispatchBacklog } = proxyActivities<ReturnType<typeof createBacklogActivities>>({
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '5 seconds',
  retry: { initialInterval: 100, maximumInterval: 5_000 },
});

const { nexteventSweep, nexteventRecover } = proxyActivities<
  ReturnType<typeof createCareActivities>
>({
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '30 seconds',
  retry: { initialInterval: 500, maximumInterval: 10_000 },
});

/** Runs for ever: a request to cancel it is ignored, because others rely on what it holds. */
export function nexteventSource(input: SourceInput): Promise<void> {
  return CancellationScope.nonCancellable(() => runSource(input));
}

async function runSource(input: SourceInput): Promise<void> {
  const source = new Source(input.state);
  const run = new Run(input.signalsPerRun ?? SIGNALS_PER_RUN);
  const takesCare = patched('takes-care');
  source.tellsAge = patched('tells-age');
  // There may have been one before that somebody terminated.
  if (takesCare && input.state === undefined && !input.isFirst) source.beginRecovery();
  setHandler(
    changesQuery,
    (request) => {
      const { firstExecutionRunId, runId } = workflowInfo();
      return source.changes(request, { firstRunId: firstExecutionRunId, runId });
    },
    { description: 'What changed in the subscriptions of this source since a version.' },
  );
  setDefaultSignalHandler((name, argument) => {
    run.signals += 1;
    const { firstExecutionRunId: firstRunId } = workflowInfo();
    source.apply(name, argument, { nowMs: Date.now(), firstRunId });
  });
  const swept = { at: input.sweptAt ?? workflowInfo().runStartTime.getTime() };
  if (takesCare) takeCare(input, source, swept);
  await untilOver(input.source, source, run);
  const next = { ...input, state: source.toState(), sweptAt: swept.at };
  // The SDK does not carry the memo: pass it on, or a reader of the new run finds none.
  await makeContinueAsNewFunc<typeof nexteventSource>({ memo: source.memo })(next);
}

/** Holds an event that is in a backlog, as its input. There is nothing to do. */
export async function nexteventStoredEvent(_event: Event): Promise<void> {}

/** Dispatches the backlog and keeps the memo, until it is time to continue as new. */
async function untilOver(name: string, source: Source, run: Run): Promise<void> {
  let written = '';
  const isBehind = (): boolean => written !== JSON.stringify(source.memo);
  const writeMemo = (): void => {
    written = JSON.stringify(source.memo);
    upsertMemo(source.memo);
    setCurrentDetails(sourceDetails(source));
  };
  if (isBehind()) writeMemo();
  let dispatching = false;
  const isToDispatch = (): boolean =>
    !dispatching && !source.isRecovering && source.backlog.length > 0;
  while (!run.isOver(source, dispatching)) {
    if (isToDispatch()) {
      dispatching = true;
      void dispatchBacklog(name, source).then(() => (dispatching = false));
    }
    await condition(() => isBehind() || run.isOver(source, dispatching) || isToDispatch());
    if (isBehind()) writeMemo();
  }
}

class Run {
  signals = 0;
  readonly #signalsMax: number;

  constructor(signalsMax: number) {
    this.#signalsMax = signalsMax;
  }

  /** Whether it is time to continue as new. */
  isOver(source: Source, dispatching: boolean): boolean {
    const { historyLength, runStartTime } = workflowInfo();
    if (Date.now() - runStartTime.getTime() < RUN_MS_MIN) return false;
    // What has come in the meantime would be lost.
    if (source.isRecovering) return false;
    // A backlog that grew while there was no worker is dispatched first.
    if (source.carriedBytes > CARRIED_BYTES_MAX) return false;
    if (this.signals >= SIGNALS_PER_RUN_MAX) return true;
    const isLong = this.signals >= this.#signalsMax || historyLength >= HISTORY_EVENTS_PER_RUN;
    return isLong && !dispatching;
  }
}

async function dispatchBacklog(name: string, source: Source): Promise<void> {
  const entries = source.backlog.slice(0, ENTRIES_PER_DISPATCH);
  await nexteventDispatchBacklog({ source: name, entries });
  source.dispatched(entries.length);
}

/** What it does of itself, whether or not anything happens at the source. */
function takeCare(input: SourceInput, source: Source, swept: { at: number }): void {
  if (source.isRecovering) void recover(input, source);
  void sweepForEver(input, source, swept);
}

/** Somebody has terminated the run before: what it held is in its history. */
async function recover(
  { source: name, previousRunId }: SourceInput,
  source: Source,
): Promise<void> {
  const { state, runId, ...first } = await nexteventRecover({ source: name, previousRunId });
  const backlog: PlacedEntry[] = [];
  for (let { hasMore } = first; hasMore;) {
    const skip = backlog.length;
    const page = await nexteventRecover({ source: name, skip, previousRunId: runId });
    backlog.push(...page.backlog);
    ({ hasMore } = page);
  }
  source.endRecovery(state && { ...state, backlog });
}

async function sweepForEver(
  { source: name, sweepMs = SWEEP_MS }: SourceInput,
  source: Source,
  swept: { at: number },
): Promise<void> {
  for (;;) {
    await condition(() => source.size > 0);
    const waitMs = Math.max(1, swept.at + sweepMs - Date.now());
    await sleep(waitMs, { summary: 'until the next sweep for workflows that ended' });
    swept.at = Date.now();
    if (source.size > 0) await nexteventSweep({ source: name });
  }
}
