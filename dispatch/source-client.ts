// The source workflows, as seen from outside.

import { randomUUID } from 'node:crypto';

import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import type { SignalDefinition } from '@temporalio/common';
import { optionalTsToMs } from '@temporalio/common/lib/time.js';
import {
  decodeArrayFromPayloads,
  decodeMapFromPayloads,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import proto from '@temporalio/proto';

import type { Event } from '../events/event.ts';
import type { SubscriptionId } from '../events/subscription.ts';
import { deriveEvent } from '../events/webhook-body.ts';
import {
  acceptSignal,
  changesQuery,
  registerSignal,
  SOURCE_TASK_QUEUE,
  SOURCE_WORKFLOW_TYPE,
  sourceWorkflowId,
  STORED_EVENT_WORKFLOW_TYPE,
  storedEventsWorkflowId,
  storedEventWorkflowId,
  suspendSignal,
  unregisterSignal,
  type BacklogEntry,
  type Changes,
  type ChangesRequest,
  type RegisterRequest,
  type SourceMemo,
  type SuspendRequest,
} from '../workflows/messages.ts';
import { describeExecution, isOpenStatus } from './describe-execution.ts';
import { retrying } from './failures.ts';
import { SegmentClient } from './segment-client.ts';

const { WORKFLOW_EXECUTION_STATUS_RUNNING: RUNNING } =
  proto.temporal.api.enums.v1.WorkflowExecutionStatus;

/** How long a call is tried again before it has failed. */
export const CALL_MS_MAX = 2_000;

/** How long one attempt of a call may take. */
const ATTEMPT_MS_MAX = 1_500;

/** How long a query may take. Past it, nobody is there to answer in time. */
export const QUERY_MS_MAX = 250;

/**
 * At so many events in the history of its run a source takes no more events into its backlog:
 * at 10,000 signals the server refuses any, and at 50 MiB of history it ends the workflow. With
 * a worker a run is never that long.
 */
export const RUN_EVENTS_MAX = 7_000;

/** ... or at so many bytes; what is dispatched from it is in the history a second time. */
export const RUN_BYTES_MAX = 16 * 1024 * 1024;

/** For so long after it was seen that there is no such source, or none any more, its start says so. */
const SEEN_MS_MAX = 5_000;

/** What a source workflow shows without a worker. */
export interface SourceDescription {
  readonly runId: string;
  readonly isRunning: boolean;
  /** Whether it has not ended: it runs, or somebody has paused it. */
  readonly isOpen: boolean;
  /** Whether there is a workflow task that nobody has completed yet. */
  readonly isPending: boolean;
  /** Since when, in milliseconds since 1970. */
  readonly pendingSince?: number | undefined;
  /** Whether its run takes more events into the backlog. */
  readonly hasRoom: boolean;
  readonly memo: SourceMemo | undefined;
}

/** Durable once it returns: true if it has started a workflow, false if there was one before. */
export async function startOnce(start: () => Promise<unknown>): Promise<boolean> {
  return retrying(CALL_MS_MAX, async () => {
    try {
      await start();
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      throw error;
    }
  });
}

export class SourceClient {
  readonly segments: SegmentClient;
  readonly #client: Client;
  /** When a source was seen not to run, and its last run; without one there is no such source. */
  readonly #stopped = new Map<string, { readonly at: number; readonly runId?: string }>();

  constructor(client: Client) {
    this.#client = client;
    this.segments = new SegmentClient(client);
  }

  /** Durable once it returns. One attempt: the caller tries again. */
  register(source: string, request: RegisterRequest): Promise<void> {
    return this.#signal(source, registerSignal, request);
  }

  /** `upTo`: only what has not changed after this version. */
  async unregister(source: string, ids: readonly SubscriptionId[], upTo?: number): Promise<void> {
    const request = { ids, ...(upTo !== undefined && { upTo }) };
    await retrying(CALL_MS_MAX, () => this.#signal(source, unregisterSignal, request));
  }

  /** Durable once it returns; the order of calls is the order of the backlog. */
  async accept(source: string, entries: readonly BacklogEntry[]): Promise<void> {
    await retrying(CALL_MS_MAX, () => this.#signal(source, acceptSignal, { entries }));
  }

  async suspend(source: string, request: SuspendRequest): Promise<void> {
    await retrying(CALL_MS_MAX, () => this.#signal(source, suspendSignal, request));
  }

  /** Starts a source workflow that has ended, so that it recovers. */
  async restart(source: string): Promise<void> {
    await startOnce(() =>
      this.#attempt(() =>
        this.#client.workflow.start(SOURCE_WORKFLOW_TYPE, this.#startOptions(source)),
      ),
    );
    this.#stopped.delete(source);
  }

  /** Reads its mutable state: strongly consistent, with no worker. `undefined`: there is none. */
  async describe(source: string): Promise<SourceDescription | undefined> {
    const described = await describeExecution(this.#client, sourceWorkflowId(source));
    if (described === undefined) {
      this.#stopped.set(source, { at: performance.now() });
      return undefined;
    }
    const { workflowExecutionInfo: info, pendingWorkflowTask } = described;
    const { loadedDataConverter } = this.#client.options;
    const runId = info?.execution?.runId ?? '';
    const isOpen = isOpenStatus(info?.status);
    if (isOpen) this.#stopped.delete(source);
    else this.#stopped.set(source, { at: performance.now(), runId });
    // The server goes on to show the task of a run that somebody has terminated.
    const pending = isOpen ? pendingWorkflowTask : undefined;
    return {
      runId,
      isRunning: info?.status === RUNNING,
      isOpen,
      isPending: Boolean(pending),
      pendingSince: pending
        ? optionalTsToMs(pending.originalScheduledTime ?? pending.scheduledTime)
        : undefined,
      hasRoom:
        Number(info?.historyLength ?? 0) < RUN_EVENTS_MAX &&
        Number(info?.historySizeBytes ?? 0) < RUN_BYTES_MAX,
      memo: (await decodeMapFromPayloads(loadedDataConverter, info?.memo?.fields)) as
        | SourceMemo
        | undefined,
    };
  }

  /** One attempt, and a short one: nobody may be there to answer. */
  changes(source: string, request: ChangesRequest, forMs = QUERY_MS_MAX): Promise<Changes> {
    return this.#client.connection.withDeadline(Date.now() + forMs, () =>
      this.#client.workflow
        .getHandle(sourceWorkflowId(source))
        .query(changesQuery, { ...request, readsSegments: true }),
    );
  }

  /**
   * Stores the bodies of events of one source in a workflow: that of one event in one that has its
   * id. If there is one, also of a start whose answer was lost, another one is made: the server may be
   * about to delete the first.
   */
  async storeEvents(events: readonly Event[]): Promise<Pick<BacklogEntry, 'storedAmong'>> {
    const [first] = events;
    if (first === undefined) return {};
    if (events.length === 1 && (await this.#store(storedEventWorkflowId(first), events))) return {};
    const storedAmong = storedEventsWorkflowId(first.source, randomUUID());
    await this.#store(storedAmong, events);
    return { storedAmong };
  }

  /** The events that a workflow has as its arguments. */
  async loadEvents(workflowId: string): Promise<readonly Event[]> {
    const { workflowService } = this.#client;
    const { history } = await workflowService.getWorkflowExecutionHistory({
      namespace: this.#client.options.namespace,
      execution: { workflowId },
      maximumPageSize: 1,
    });
    const started = history?.events?.[0]?.workflowExecutionStartedEventAttributes;
    const { loadedDataConverter } = this.#client.options;
    const events = await decodeArrayFromPayloads(loadedDataConverter, started?.input?.payloads);
    return events.map((event) => deriveEvent(event as Event));
  }

  #store(workflowId: string, events: readonly Event[]): Promise<boolean> {
    return startOnce(() =>
      this.#attempt(() =>
        this.#client.workflow.start(STORED_EVENT_WORKFLOW_TYPE, {
          workflowId,
          taskQueue: SOURCE_TASK_QUEUE,
          args: [...events],
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
        }),
      ),
    );
  }

  #signal<T>(source: string, signal: SignalDefinition<[T]>, argument: T): Promise<void> {
    // With a start always: a plain signal that comes while the next run of a source is held
    // back schedules no workflow task, and nobody could see that there is something new.
    return this.#attempt(async () => {
      await this.#client.workflow.signalWithStart(SOURCE_WORKFLOW_TYPE, {
        ...this.#startOptions(source),
        signal: signal as SignalDefinition<unknown[]>,
        signalArgs: [argument],
      });
      this.#stopped.delete(source);
    });
  }

  #startOptions(source: string) {
    const seen = this.#stopped.get(source);
    // Another may have run and ended since it was seen.
    const stopped = seen && performance.now() - seen.at < SEEN_MS_MAX ? seen : undefined;
    const previousRunId = stopped?.runId;
    const isFirst = stopped !== undefined && previousRunId === undefined;
    return {
      workflowId: sourceWorkflowId(source),
      taskQueue: SOURCE_TASK_QUEUE,
      args: [{ source, ...(isFirst && { isFirst }), ...(previousRunId && { previousRunId }) }],
      staticSummary: `subscriptions and backlog of the source ${source}`,
      memo: {
        version: 0,
        backlog: 0,
        stateBytes: 0,
        recovering: !isFirst,
      } satisfies SourceMemo,
    };
  }

  #attempt<T>(call: () => Promise<T>): Promise<T> {
    return this.#client.connection.withDeadline(Date.now() + ATTEMPT_MS_MAX, call);
  }
}
