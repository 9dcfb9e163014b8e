// Calls to the workflows of listeners, and what their failures mean.

import { randomUUID } from 'node:crypto';

import {
  isGrpcServiceError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
} from '@temporalio/client';
import {
  ApplicationFailure,
  type QueryDefinition,
  type UpdateDefinition,
} from '@temporalio/common';
import { decodeMapFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import proto from '@temporalio/proto';

import { LISTENER_CHANGED, listenerWorkflowId } from '../workflows/listener-messages.ts';
import {
  ListenerChangedError,
  ListenerConflictError,
  ListenerSilentError,
  UnknownListenerError,
} from './errors.ts';
import { sleep, toFailureKind } from './failures.ts';

/** How long a listener may take to do what it is told. It has to subscribe first, or to replay. */
const UPDATE_MS_MAX = 20_000;

/** How soon it is told again what it could not take, at first and at last, in milliseconds. */
const AGAIN_MS = { min: 100, max: 2_000 };

/** How long it may take to answer. */
const QUERY_MS_MAX = 5_000;

/** How long the server may take to list. */
const LIST_MS_MAX = 10_000;

/** How often a change is made anew, because of others at the same time, and how soon at the latest. */
const CHANGES_MAX = 10;
const CHANGE_AGAIN_MS_MAX = 200;

/** A workflow as the server lists and describes it. */
export type Execution = proto.temporal.api.workflow.v1.IWorkflowExecutionInfo;

/** Some of the workflows that a query finds. */
export interface Executions {
  readonly executions: readonly Execution[];
  /** Where the next page begins; null if there is none. */
  readonly next: Uint8Array | null;
}

export class ListenerCalls {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /**
   * @throws UnknownListenerError if there is no such listener, or it has ended
   * @throws ListenerConflictError if the listener refuses
   * @throws ListenerSilentError if no worker answers in time
   */
  async update<Result, Args extends unknown[]>(
    id: string,
    update: UpdateDefinition<Result, Args>,
    args: Args,
  ): Promise<Result> {
    const handle = this.#client.workflow.getHandle(listenerWorkflowId(id));
    // The same for every attempt: one whose answer was lost is not done again.
    const updateId = randomUUID();
    const deadline = Date.now() + UPDATE_MS_MAX;
    for (let restMs = AGAIN_MS.min; ; restMs = Math.min(2 * restMs, AGAIN_MS.max)) {
      try {
        return await this.#client.connection.withDeadline(deadline, () =>
          // The SDK tells updates without arguments from others; this one takes both.
          handle.executeUpdate(update as unknown as UpdateDefinition<Result, [unknown]>, {
            args: args as unknown as [unknown],
            updateId,
          }),
        );
      } catch (error) {
        // Its task has failed, as it does if more comes while it continues as new.
        const isRefused = codeOf(error) === FAILED_PRECONDITION;
        if (!isRefused || Date.now() + restMs > deadline) {
          if (error instanceof WorkflowUpdateFailedError) throw toRefusal(error);
          throw toListenerError(id, error);
        }
      }
      await sleep(restMs);
    }
  }

  /**
   * @throws UnknownListenerError if there is no such listener
   * @throws ListenerSilentError if no worker answers in time
   */
  async query<Result, Args extends unknown[] = []>(
    id: string,
    query: QueryDefinition<Result, Args>,
    args: Args,
  ): Promise<Result> {
    const handle = this.#client.workflow.getHandle(listenerWorkflowId(id));
    try {
      return await this.#within(QUERY_MS_MAX, () => handle.query(query, ...args));
    } catch (error) {
      throw toListenerError(id, error);
    }
  }

  /** A page of what visibility has, newest first. It is a little late. */
  async list(
    query: string,
    { limit, token }: { readonly limit: number; readonly token: Uint8Array | null },
  ): Promise<Executions> {
    const { workflowService } = this.#client.connection;
    const { executions, nextPageToken } = await this.#within(LIST_MS_MAX, () =>
      workflowService.listWorkflowExecutions({
        namespace: this.#client.options.namespace,
        pageSize: limit,
        query,
        ...(token && { nextPageToken: token }),
      }),
    );
    const isLast = nextPageToken === undefined || nextPageToken.length === 0;
    return { executions, next: isLast ? null : nextPageToken };
  }

  #within<T>(forMs: number, call: () => Promise<T>): Promise<T> {
    return this.#client.connection.withDeadline(Date.now() + forMs, call);
  }
}

/** Makes a change, and again if another has changed the listener meanwhile. */
export async function againIfChanged<T>(change: () => Promise<T>): Promise<T> {
  for (let changes = 1; ; changes += 1) {
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof ListenerChangedError) || changes >= CHANGES_MAX) throw error;
      // Those who met once do not meet again.
      await sleep(Math.random() * CHANGE_AGAIN_MS_MAX);
    }
  }
}

/** What a workflow keeps in its memo; `undefined` if it keeps nothing. */
export async function decodeMemo<T>({ options }: Client, info: Execution): Promise<T | undefined> {
  const memo = await decodeMapFromPayloads(options.loadedDataConverter, info.memo?.fields);
  return memo as T | undefined;
}

/** As a text in the language of visibility. */
export function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`;
}

const REFUSALS = new Map<string, new (...args: ConstructorParameters<ErrorConstructor>) => Error>([
  ['UnknownListenerError', UnknownListenerError],
  [LISTENER_CHANGED, ListenerChangedError],
]);

/** What the listener itself says of it, or what it subscribes to: a filter that costs too much. */
function toRefusal(error: WorkflowUpdateFailedError): Error {
  const { cause } = error;
  if (!(cause instanceof ApplicationFailure) || !cause.nonRetryable) return cause ?? error;
  const Refusal = REFUSALS.get(cause.type ?? '') ?? ListenerConflictError;
  return new Refusal(cause.message, { cause });
}

function toListenerError(id: string, cause: unknown): unknown {
  if (toFailureKind(cause) === 'gone') {
    return new UnknownListenerError(`there is no listener "${id}"`, { cause });
  }
  if (!isUnanswered(cause)) return cause;
  return new ListenerSilentError(`no worker answers for listener "${id}"`, { cause });
}

/** Of gRPC: the workflow is not in a state for it, or there is no worker to ask. */
const FAILED_PRECONDITION = 9;

/** Cancelled or too late, no worker to ask, or no server. */
const UNANSWERED: ReadonlySet<number | undefined> = new Set([1, 4, FAILED_PRECONDITION, 14]);

function isUnanswered(error: unknown): boolean {
  return error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || UNANSWERED.has(codeOf(error));
}

function codeOf(error: unknown): number | undefined {
  const cause = error instanceof Error && !isGrpcServiceError(error) ? error.cause : error;
  return isGrpcServiceError(cause) ? cause.code : undefined;
}
