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
import type { createSegmentActivities } from '../activities/segments.ts';
import type { Event } from '../events/event.ts';
import { segmentBytesMax } from './cold-layers.ts';
import type { StoreBounds } from './layers.ts';
import { changesQuery, type SegmentReference } from './messages.ts';
import { countRecovered, joinRecovered } from './recovered.ts';
import { sourceDetails } from './details.ts';
import type { SourceInput } from './source-records.ts';
import { Run } from './source-run.ts';
import { Source } from './source-state.ts';

/** For so long after it was merged a segment may still be read, by who asked before. */
const SEGMENT_GRACE_MS = 60_000;

/** How many entries of the backlog one activity dispatches. */
const ENTRIES_PER_DISPATCH = 200;

/** How often it looks for subscriptions whose workflow ended without a word. */
export const SWEEP_MS = 10 * 60_000;

const { nexteventDispatchBacklog } = proxyActivities<ReturnType<typeof createBacklogActivities>>({
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '5 seconds',
  retry: { initialInterval: 100, maximumInterval: 5_000 },
});

const { nexteventSweep, nexteventRecover, nexteventRecoverInParts } = proxyActivities<
  ReturnType<typeof createCareActivities>
>({
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '30 seconds',
  retry: { initialInterval: 500, maximumInterval: 10_000 },
});

const { nexteventWriteSegment, nexteventMergeSegments, nexteventDropSegments } = proxyActivities<
  ReturnType<typeof createSegmentActivities>
>({
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '5 seconds',
  retry: { initialInterval: 100, maximumInterval: 5_000 },
});

/** Runs for ever: a request to cancel it is ignored, because others rely on what it holds. */
export function nexteventSource(input: SourceInput): Promise<void> {
  return CancellationScope.nonCancellable(() => runSource(input));
}

async function runSource(input: SourceInput): Promise<void> {
  const source = new Source(input.state);
  const run = new Run(input.signalsPerRun, source.carriedBytes);
  const takesCare = patched('takes-care');
  run.hasSegments = patched('segments');
  run.keepsLittle = patched('keeps-little');
  run.boundsDispatches = patched('bounds-dispatches');
  run.dropsSegments = patched('drops-segments');
  source.tellsAge = patched('tells-age');
  run.isShort = patched('short-runs');
  run.endsBetweenStores = patched('ends-between-stores');
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
  if (takesCare) takeCare(input, source, { run, swept });
  await untilOver(input, source, run);
  const next = { ...input, state: source.toState(), sweptAt: swept.at };
  // The SDK does not carry the memo: pass it on, or a reader of the new run finds none.
  await makeContinueAsNewFunc<typeof nexteventSource>({ memo: source.memo })(next);
}

/** Holds events that are in a backlog, as its input. There is nothing to do. */
export async function nexteventStoredEvent(..._events: readonly Event[]): Promise<void> {}

/** Holds a segment of the subscriptions of a source, as its input, until it is terminated. */
export function nexteventSegment(_content: Uint8Array): Promise<void> {
  return CancellationScope.nonCancellable(() => condition(() => false));
}

/** Does what there is to do, and keeps the memo, until it is time to continue as new. */
async function untilOver(input: SourceInput, source: Source, run: Run): Promise<void> {
  const { source: name } = input;
  const bounds = run.boundsOf(input);
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
  let storing = false;
  const isToStore = (): boolean =>
    run.hasSegments &&
    !storing &&
    !source.isRecovering &&
    source.layers.isToStore(bounds) &&
    !run.storesNoMore(source, dispatching);
  let dropping = false;
  const isToDrop = (): boolean =>
    run.dropsSegments && !dropping && !source.isRecovering && toDrop(source, input).length > 0;
  const isBusy = (): boolean =>
    dispatching || storing || dropping || (run.keepsLittle && isToStore());
  const isOver = (): boolean => run.isOver(source, isBusy());
  while (!isOver()) {
    if (isToDispatch()) {
      dispatching = true;
      void dispatchBacklog(name, source, run.dispatchLengthMax).then(() => (dispatching = false));
    }
    if (isToStore()) {
      storing = true;
      void store(name, source, bounds).then(() => (storing = false));
    }
    if (isToDrop()) {
      dropping = true;
      void dropSegments(source, input).then(() => (dropping = false));
    }
    await condition(() => isBehind() || isOver() || isToDispatch() || isToStore() || isToDrop());
    if (isBehind()) writeMemo();
  }
}

async function dispatchBacklog(name: string, source: Source, lengthMax: number): Promise<void> {
  const entries = source.oldest(ENTRIES_PER_DISPATCH, lengthMax);
  await nexteventDispatchBacklog({ source: name, entries });
  source.dispatched(entries.length);
}

/**
 * Moves some of what is in memory to a segment, or merges segments. What the activity has written
 * takes effect in the task that hears of it; until then, it is as if it had not begun.
 */
async function store(name: string, source: Source, bounds: StoreBounds): Promise<void> {
  const number = source.layers.cold.made;
  const merging = source.layers.cold.toMerge(bounds.segmentBytes);
  // A merge that was begun in the run before goes first: what it has written is found again.
  if (!source.layers.cold.merging && source.layers.isToMove(bounds.hotBytesMax)) {
    const layer = source.layers.beginMove(bounds);
    source.layers.cold.moved(await nexteventWriteSegment({ source: name, number, layer }));
  } else if (merging) {
    const segments = source.layers.cold.beginMerge(merging);
    const merged = await nexteventMergeSegments({
      source: name,
      number,
      segments,
      isOldest: merging.from === 0,
      bytesMax: segmentBytesMax(bounds.segmentBytes),
    });
    source.merged(merged, Date.now());
  }
}

/** What it does of itself, whether or not anything happens at the source. */
function takeCare(input: SourceInput, source: Source, care: Care): void {
  if (source.isRecovering) void recover(input, source, care.run);
  void sweepForEver(input, source, care);
}

interface Care {
  readonly run: Run;
  readonly swept: { at: number };
}

/** Somebody has terminated the run before: what it held is in its history. */
async function recover(
  { source: name, previousRunId }: SourceInput,
  source: Source,
  run: Run,
): Promise<void> {
  // Another activity, because a worker of an older version would give only a part.
  const recoverPart = run.recoversInParts ? nexteventRecoverInParts : nexteventRecover;
  const first = await recoverPart({ source: name, previousRunId });
  const answers = [first];
  while (answers.at(-1)?.hasMore) {
    const skip = countRecovered(answers);
    answers.push(await recoverPart({ source: name, skip, previousRunId: first.runId }));
  }
  source.endRecovery(joinRecovered(answers));
}

async function sweepForEver(
  input: SourceInput,
  source: Source,
  { run, swept }: Care,
): Promise<void> {
  const { source: name, sweepMs = SWEEP_MS } = input;
  for (;;) {
    await condition(() => !source.isEmpty);
    const waitMs = Math.max(1, swept.at + sweepMs - Date.now());
    await sleep(waitMs, { summary: 'until the next sweep for workflows that ended' });
    swept.at = Date.now();
    if (!source.isEmpty) await nexteventSweep({ source: name });
    if (!run.dropsSegments) await dropSegments(source, input);
  }
}

/** Ends the workflows of segments that nobody reads any more. */
async function dropSegments(source: Source, input: SourceInput): Promise<void> {
  const segments = toDrop(source, input);
  if (segments.length === 0) return;
  await nexteventDropSegments({ source: input.source, segments });
  source.layers.cold.dropped(segments);
}

function toDrop(source: Source, input: SourceInput): readonly SegmentReference[] {
  const { sweepMs = SWEEP_MS, graceMs = Math.min(SEGMENT_GRACE_MS, sweepMs) } = input;
  return source.layers.cold.obsolete
    .filter(({ at }) => at + graceMs <= Date.now())
    .map(({ segment }) => segment);
}
