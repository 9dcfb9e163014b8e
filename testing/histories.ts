// Recorded histories: a change of workflow code that does not replay them would break the
// workflows that run.

import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker, type WorkflowBundle } from '@temporalio/worker';

import { PATIENT } from '../worker/patient.ts';
import {
  DELIVERY_WORKFLOW_TYPE,
  DEPLOYMENT_WORKFLOW_TYPE,
  LISTENER_WORKFLOW_TYPE,
} from '../workflows/listener-messages.ts';
import {
  SEGMENT_WORKFLOW_TYPE,
  SOURCE_WORKFLOW_TYPE,
  STORED_EVENT_WORKFLOW_TYPE,
} from '../workflows/messages.ts';
import { listenerBundle, sourceBundle, userBundle } from './bundles.ts';
import { ReplayFailedError } from './errors.ts';

/** The workflows of the worker of sources. */
const OF_SOURCES: ReadonlySet<string> = new Set([
  SOURCE_WORKFLOW_TYPE,
  STORED_EVENT_WORKFLOW_TYPE,
  SEGMENT_WORKFLOW_TYPE,
]);

/** The workflows of the worker of listeners. */
const OF_LISTENERS: ReadonlySet<string> = new Set([
  LISTENER_WORKFLOW_TYPE,
  DELIVERY_WORKFLOW_TYPE,
  DEPLOYMENT_WORKFLOW_TYPE,
]);

/** The history of a run, as Temporal's own tools write it: write it to a file as JSON. */
export interface RecordedHistory {
  readonly events: readonly RecordedHistoryEvent[];
}

/** What of an event is read here; the rest is Temporal's. */
export interface RecordedHistoryEvent {
  readonly workflowExecutionStartedEventAttributes?: {
    readonly workflowType?: { readonly name?: string };
    readonly workflowId?: string;
  };
}

/** What the histories are replayed against. */
export interface ReplayHistoriesOptions {
  /** The module that exports the workflows: an absolute path, or one from the working directory. */
  readonly workflowsPath: string;
  /**
   * Interceptor modules of the worker, besides those of the library.
   *
   * @default none
   */
  readonly interceptorModules?: readonly string[];
}

/**
 * The history of a workflow's latest run so far, without what names the machine: to be kept beside
 * the tests, and replayed by `replayHistories`.
 *
 * @example
 * const history = await recordHistory(handle);
 * await writeFile('test/histories/approval.json', JSON.stringify(history));
 */
export async function recordHistory(handle: WorkflowHandle): Promise<RecordedHistory> {
  const json = historyToJSON(await handle.fetchHistory());
  return JSON.parse(json, withoutMachine) as RecordedHistory;
}

/** Who did it is of no interest, and where its code was neither. */
function withoutMachine(key: string, value: unknown): unknown {
  if (key === 'identity') return 'recorder';
  if (key === 'stackTrace') return '';
  return typeof value === 'string' ? value.replace(/^\d+@[^:]*$/, 'recorder') : value;
}

/**
 * Replays histories with the interceptors of the library. Histories of the library's own workflows
 * are replayed, too, so that an upgrade can be checked.
 *
 * @param histories - paths of files, or what `recordHistory` gave
 * @throws ReplayFailedError that names those that do not replay
 *
 * @example
 * await replayHistories(['test/histories/approval.json'], {
 *   workflowsPath: 'workflows/index.ts',
 * });
 */
export async function replayHistories(
  histories: ReadonlyArray<string | URL | RecordedHistory>,
  options: ReplayHistoriesOptions,
): Promise<void> {
  const failures = new Map<string, Error>();
  for (const [index, given] of histories.entries()) {
    const name = nameOf(given, index);
    try {
      const history = await read(given);
      const workflowBundle = await bundleFor(history, options);
      const workflowId = startOf(history)?.workflowId;
      await Worker.runReplayHistory({ workflowBundle, ...PATIENT }, history, workflowId);
    } catch (error) {
      failures.set(name, error instanceof Error ? error : new Error(String(error)));
    }
  }
  if (failures.size === 0) return;
  const reasons = [...failures].map(([name, { message }]) => `${name} (${reason(message)})`);
  throw new ReplayFailedError(
    `${failures.size} of ${histories.length} histories do not replay: ${reasons.join(', ')}`,
    failures,
  );
}

function nameOf(given: string | URL | RecordedHistory, index: number): string {
  if (typeof given === 'string') return basename(given);
  return given instanceof URL ? basename(fileURLToPath(given)) : `history ${index + 1}`;
}

async function read(given: string | URL | RecordedHistory): Promise<RecordedHistory> {
  const isFile = typeof given === 'string' || given instanceof URL;
  const history = isFile ? (JSON.parse(await readFile(given, 'utf8')) as RecordedHistory) : given;
  if (startOf(history) === undefined) throw new TypeError('it is no history of a workflow');
  return history;
}

function startOf({ events }: Partial<RecordedHistory>) {
  return events?.[0]?.workflowExecutionStartedEventAttributes;
}

function bundleFor(
  history: RecordedHistory,
  { workflowsPath, interceptorModules }: ReplayHistoriesOptions,
): Promise<WorkflowBundle> {
  const type = startOf(history)?.workflowType?.name ?? '';
  if (OF_SOURCES.has(type)) return sourceBundle();
  if (OF_LISTENERS.has(type)) return listenerBundle();
  return userBundle(resolve(workflowsPath), interceptorModules);
}

/** The innermost message of the SDK's native part, which prints its errors as data. */
function reason(message: string): string {
  return /message: "((?:[^"\\]|\\.)*)"/.exec(message)?.[1] ?? message;
}
