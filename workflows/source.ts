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
  proxyActivities,
  setDefaultSignalHandler,
  setHandler,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';

import type { createBacklogActivities } from '../activities/backlog.ts';
import type { Event } from '../events/event.ts';
import {
  acceptSignal,
  changesQuery,
  registerSignal,
  unregisterSignal,
  type AcceptRequest,
  type RegisterRequest,
  type SourceMemo,
  type UnregisterRequest,
} from './messages.ts';
import { Source, type SourceState } from './source-state.ts';

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

/** The server delays the next run of one that continues as new sooner than this. */
const RUN_MS_MIN = 1_500;

/** How many entries of the backlog one activity dispatches. */
const ENTRIES_PER_DISPATCH = 200;

const { nexteventDispatchBacklog } = proxyActivities<ReturnType<typeof createBacklogActivities>>({
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: 100, maximumInterval: 5_000 },
});

export interface SourceInput {
  readonly source: string;
  readonly state?: SourceState;
  /** For tests: a smaller number of signals per run. */
  readonly signalsPerRun?: number;
}

/** Runs for ever: a request to cancel it is ignored, because others rely on what it holds. */
export function nexteventSource(input: SourceInput): Promise<void> {
  return CancellationScope.nonCancellable(() => runSource(input));
}

async function runSource(input: SourceInput): Promise<void> {
  const source = new Source(input.state);
  const run = new Run(input.signalsPerRun ?? SIGNALS_PER_RUN);
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
    apply(source, name, argument);
  });

  let written = '';
  const isBehind = (): boolean => written !== JSON.stringify(memoOf(source));
  const writeMemo = (): void => {
    written = JSON.stringify(memoOf(source));
    upsertMemo(memoOf(source));
  };
  if (isBehind()) writeMemo();
  let dispatching = false;
  while (!run.isOver(dispatching)) {
    if (!dispatching && source.backlog.length > 0) {
      dispatching = true;
      void dispatchBacklog(input.source, source).then(() => (dispatching = false));
    }
    await condition(
      () => isBehind() || run.isOver(dispatching) || (!dispatching && source.backlog.length > 0),
    );
    if (isBehind()) writeMemo();
  }
  await continueWith({ ...input, state: source.toState() }, memoOf(source));
}

/** Holds an event that is in a backlog, as its input. There is nothing to do. */
export async function nexteventStoredEvent(_event: Event): Promise<void> {}

class Run {
  signals = 0;
  readonly #signalsMax: number;

  constructor(signalsMax: number) {
    this.#signalsMax = signalsMax;
  }

  /** Whether it is time to continue as new. */
  isOver(dispatching: boolean): boolean {
    const { historyLength, runStartTime } = workflowInfo();
    if (Date.now() - runStartTime.getTime() < RUN_MS_MIN) return false;
    if (this.signals >= SIGNALS_PER_RUN_MAX) return true;
    const isLong = this.signals >= this.#signalsMax || historyLength >= HISTORY_EVENTS_PER_RUN;
    return isLong && !dispatching;
  }
}

/** A signal that is not of this shape comes from elsewhere, and changes nothing. */
function apply(source: Source, name: string, argument: unknown): void {
  if (typeof argument !== 'object' || argument === null) return;
  if (name === registerSignal.name && 'registrations' in argument) {
    const { registrations, again } = argument as RegisterRequest;
    source.register(registrations, again === true);
  } else if (name === unregisterSignal.name && 'ids' in argument) {
    source.unregister((argument as UnregisterRequest).ids);
  } else if (name === acceptSignal.name && 'entries' in argument) {
    source.accept(argument as AcceptRequest);
  }
}

async function dispatchBacklog(name: string, source: Source): Promise<void> {
  const entries = source.backlog.slice(0, ENTRIES_PER_DISPATCH);
  await nexteventDispatchBacklog({ source: name, entries });
  source.dispatched(entries.length);
}

function memoOf(source: Source): SourceMemo {
  const { version, stateBytes } = source;
  return { version, backlog: source.backlog.length, stateBytes };
}

/** The SDK does not carry the memo: pass it on, or a reader of the new run finds none. */
function continueWith(input: SourceInput, memo: SourceMemo): Promise<never> {
  return makeContinueAsNewFunc<typeof nexteventSource>({ memo })(input);
}
