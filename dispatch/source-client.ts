// The source workflows, as seen from outside.

import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import type { SignalDefinition } from '@temporalio/common';
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
  unregisterSignal,
  type BacklogEntry,
  type Changes,
  type ChangesRequest,
  type RegisterRequest,
  type SourceMemo,
} from '../workflows/messages.ts';
import { retrying, toFailureKind } from './failures.ts';

const { WORKFLOW_EXECUTION_STATUS_RUNNING: RUNNING } =
  proto.temporal.api.enums.v1.WorkflowExecutionStatus;

/** How long a call is tried again before it has failed. */
export const CALL_MS_MAX = 2_000;

/** How long one attempt of a call may take. */
const ATTEMPT_MS_MAX = 1_500;

/** How long a query may take. Past it, nobody is there to answer in time. */
export const QUERY_MS_MAX = 350;

/** What a source workflow shows without a worker. */
export interface SourceDescription {
  readonly runId: string;
  readonly isRunning: boolean;
  /** Whether there is a workflow task that nobody has completed yet. */
  readonly isPending: boolean;
  readonly memo: SourceMemo | undefined;
}

/** Starts a workflow, or finds that it was started before. Durable once it returns. */
export async function startOnce(start: () => Promise<unknown>): Promise<void> {
  await retrying(CALL_MS_MAX, async () => {
    try {
      await start();
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  });
}

export class SourceClient {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Durable once it returns. One attempt: the caller tries again. */
  register(source: string, request: RegisterRequest): Promise<void> {
    return this.#signal(source, registerSignal, request);
  }

  async unregister(source: string, ids: readonly SubscriptionId[]): Promise<void> {
    await retrying(CALL_MS_MAX, () => this.#signal(source, unregisterSignal, { ids }));
  }

  /** Durable once it returns; the order of calls is the order of the backlog. */
  async accept(source: string, entries: readonly BacklogEntry[]): Promise<void> {
    await retrying(CALL_MS_MAX, () => this.#signal(source, acceptSignal, { entries }));
  }

  /**
   * Reads its mutable state: strongly consistent, with no worker. `undefined`: there is none.
   *
   * It is on the way of every event, and the SDK's own `describe` decodes far more than this.
   */
  async describe(source: string): Promise<SourceDescription | undefined> {
    const { connection, options } = this.#client;
    try {
      const described = await this.#attempt(() =>
        connection.workflowService.describeWorkflowExecution({
          namespace: options.namespace,
          execution: { workflowId: sourceWorkflowId(source) },
        }),
      );
      const { workflowExecutionInfo: info, pendingWorkflowTask } = described;
      const fields = info?.memo?.fields;
      return {
        runId: info?.execution?.runId ?? '',
        isRunning: info?.status === RUNNING,
        isPending: Boolean(pendingWorkflowTask),
        memo: (await decodeMapFromPayloads(options.loadedDataConverter, fields)) as
          | SourceMemo
          | undefined,
      };
    } catch (error) {
      if (toFailureKind(error) === 'gone') return undefined;
      throw error;
    }
  }

  /** One attempt, and a short one: nobody may be there to answer. */
  changes(source: string, request: ChangesRequest, forMs = QUERY_MS_MAX): Promise<Changes> {
    return this.#client.connection.withDeadline(Date.now() + forMs, () =>
      this.#client.workflow.getHandle(sourceWorkflowId(source)).query(changesQuery, request),
    );
  }

  /** Stores the body of an event. Again with the same id: keeps the first. */
  async storeEvent(event: Event): Promise<string> {
    const workflowId = `nextevent/event/${event.source}/${event.id}`;
    await startOnce(() =>
      this.#attempt(() =>
        this.#client.workflow.start(STORED_EVENT_WORKFLOW_TYPE, {
          workflowId,
          taskQueue: SOURCE_TASK_QUEUE,
          args: [event],
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
        }),
      ),
    );
    return workflowId;
  }

  async loadEvent(workflowId: string): Promise<Event> {
    const history = await this.#client.workflow.getHandle(workflowId).fetchHistory();
    const input = history.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads;
    const { loadedDataConverter } = this.#client.options;
    const [event] = await decodeArrayFromPayloads(loadedDataConverter, input);
    return deriveEvent(event as Event);
  }

  #signal<T>(source: string, signal: SignalDefinition<[T]>, argument: T): Promise<void> {
    // With a start always: a plain signal that comes while the next run of a source is held
    // back schedules no workflow task, and nobody could see that there is something new.
    return this.#attempt(async () => {
      await this.#client.workflow.signalWithStart(SOURCE_WORKFLOW_TYPE, {
        workflowId: sourceWorkflowId(source),
        taskQueue: SOURCE_TASK_QUEUE,
        args: [{ source }],
        memo: { version: 0, backlog: 0, stateBytes: 0 } satisfies SourceMemo,
        signal: signal as SignalDefinition<unknown[]>,
        signalArgs: [argument],
      });
    });
  }

  #attempt<T>(call: () => Promise<T>): Promise<T> {
    return this.#client.connection.withDeadline(Date.now() + ATTEMPT_MS_MAX, call);
  }
}
