// The run of a source: how long it is, and what it does that runs of older versions did not.

import { workflowInfo } from '@temporalio/workflow';

import type { StoreBounds } from './layers.ts';
import type { SourceInput } from './source-records.ts';
import type { Source } from './source-state.ts';

/**
 * After this many signals, or events in its history, a run continues as new. The server would
 * let it have forty times more. But whoever takes over from a worker that is gone replays the run,
 * and so does who was told of a signal while the last task of a run was on its way; the server
 * refuses all signals meanwhile, or keeps them. Of those it keeps a hundred, and then has the
 * task begun anew, as it has after ten seconds: a run that takes longer to replay gets no further.
 * On a machine that has too much to do each task of it takes a tenth of a second. So the shorter the
 * run, the better.
 */
export const SIGNALS_PER_RUN = 100;
const HISTORY_EVENTS_PER_RUN = 300;

/** Those of runs that were begun by an older version, and by one that was older still. */
const OLD_SIGNALS_PER_RUN = 250;
const OLD_HISTORY_EVENTS_PER_RUN = 750;
const OLDEST_SIGNALS_PER_RUN = 1_000;
const OLDEST_HISTORY_EVENTS_PER_RUN = 2_500;

/** ... or after so many bytes of history: at 50 MiB the server ends it. */
const HISTORY_BYTES_PER_RUN = 8 * 1024 * 1024;

/** It no longer waits for its activity to end after this many signals: at 10,000 it is ended. */
const SIGNALS_PER_RUN_MAX = 5_000;

/** ... or after so many bytes. */
const HISTORY_BYTES_PER_RUN_MAX = 24 * 1024 * 1024;

/** What the next run is given at the most, in bytes: above 2 MiB the server ends the workflow. */
const CARRIED_BYTES_MAX = 1.9 * 1024 * 1024;

/**
 * When this much is in memory, in bytes, the older half moves to a segment. Each run is given what is
 * in memory, and the server reads all of that whenever somebody describes the source, which is for
 * every event.
 */
const HOT_BYTES_MAX = 128 * 1024;

/** With this much in memory, in bytes, there is soon no room for more. */
const HOT_BYTES_MANY = 512 * 1024;

/**
 * How much moves at once, in bytes, if there is so much: what the next run is given has room for as
 * much in memory and on its way. Runs that were begun by an older version keep this much in memory.
 */
const SEGMENT_BYTES = 1024 * 1024;

/** The server delays the next run of one that continues as new sooner than this. */
const RUN_MS_MIN = 1_500;

/**
 * How much of the backlog one activity dispatches, in characters of JSON, or one entry: it may name
 * hundreds of workflows, and an input of more than 2 MiB ends the source. A character takes three
 * bytes at the most.
 */
const DISPATCH_LENGTH_MAX = 512 * 1024;

export class Run {
  signals = 0;
  /** False in a run that was begun by a version that had none. */
  hasSegments = false;
  /** Neither that, nor in one that kept more. */
  keepsLittle = false;
  /** Nor in one that passed on as much of its backlog as there was. */
  boundsDispatches = false;
  /** Nor in one that dropped segments after a sweep, which may take longer than the run. */
  dropsSegments = false;
  /** Nor in one that continued as new only later. */
  isShort = false;
  /** Nor in one that did not before all was stored, which may never be while more and more comes. */
  endsBetweenStores = false;
  readonly #signalsMax: number | undefined;
  readonly #givenBytes: number;

  constructor(signalsMax: number | undefined, givenBytes: number) {
    this.#signalsMax = signalsMax;
    this.#givenBytes = givenBytes;
  }

  boundsOf({ hotBytesMax: segmentBytes = SEGMENT_BYTES }: SourceInput): StoreBounds {
    const hotBytesMax = this.keepsLittle ? Math.min(HOT_BYTES_MAX, segmentBytes) : segmentBytes;
    return { hotBytesMax, segmentBytes };
  }

  /** Runs of the same versions asked for all but the backlog at once. */
  get recoversInParts(): boolean {
    return this.dropsSegments;
  }

  get dispatchLengthMax(): number {
    return this.boundsDispatches ? DISPATCH_LENGTH_MAX : Infinity;
  }

  /** Whether it is time to continue as new. */
  isOver(source: Source, isBusy: boolean): boolean {
    if (!this.#mayEnd(source)) return false;
    if (this.signals >= SIGNALS_PER_RUN_MAX) return true;
    if (this.keepsLittle && workflowInfo().historySize >= HISTORY_BYTES_PER_RUN_MAX) return true;
    return (this.#isLong || this.#isRelieved(source)) && !isBusy;
  }

  /**
   * Whether it begins to store no more: what there is left, the next run stores. Each stores something,
   * because none ends in its first task. A dispatch that takes long, and which the run waits for, is not
   * to keep others from subscribing.
   */
  storesNoMore(source: Source, isDispatching: boolean): boolean {
    if (isDispatching && source.layers.hotBytes > HOT_BYTES_MANY) return false;
    return this.endsBetweenStores && this.#isLong && this.#mayEnd(source);
  }

  #mayEnd(source: Source): boolean {
    if (Date.now() - workflowInfo().runStartTime.getTime() < RUN_MS_MIN) return false;
    // What has come in the meantime would be lost.
    if (source.isRecovering) return false;
    // A backlog that grew while there was no worker is dispatched first.
    return source.carriedBytes <= CARRIED_BYTES_MAX;
  }

  get #isLong(): boolean {
    const { historyLength, historySize } = workflowInfo();
    if (this.hasSegments && historySize >= HISTORY_BYTES_PER_RUN) return true;
    const [signals, events] = this.#bounds;
    return this.signals >= (this.#signalsMax ?? signals) || historyLength >= events;
  }

  /** How many signals, and events in its history, are enough. */
  get #bounds(): readonly [signals: number, events: number] {
    if (this.isShort) return [SIGNALS_PER_RUN, HISTORY_EVENTS_PER_RUN];
    if (this.keepsLittle) return [OLD_SIGNALS_PER_RUN, OLD_HISTORY_EVENTS_PER_RUN];
    return [OLDEST_SIGNALS_PER_RUN, OLDEST_HISTORY_EVENTS_PER_RUN];
  }

  /** Whether most of what it was given has moved to segments: the next run is given less. */
  #isRelieved({ carriedBytes }: Source): boolean {
    const isHeavy = this.keepsLittle && this.#givenBytes > 4 * HOT_BYTES_MAX;
    return isHeavy && carriedBytes < this.#givenBytes / 4;
  }
}
