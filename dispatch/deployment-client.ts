// The deployment of a project's static listeners, as seen from outside.

import { createHash } from 'node:crypto';

import {
  WithStartWorkflowOperation,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
} from '@temporalio/client';

import type { ListenerDefinition } from '../events/listener.ts';
import {
  deployUpdate,
  type Deployed,
  type DeployedListener,
  type DeploymentInput,
  type DeploymentMemo,
  type DeployRequest,
} from '../workflows/deployment-messages.ts';
import {
  DEPLOYMENT_WORKFLOW_TYPE,
  deploymentWorkflowId,
  listenerTaskQueue,
} from '../workflows/listener-messages.ts';
import { describeExecution, isOpenStatus } from './describe-execution.ts';
import { DeployError, ListenerSilentError } from './errors.ts';
import { decodeMemo, type Execution } from './listener-calls.ts';
import { ListenerClient } from './listener-client.ts';

/** How long a deployment may take. It goes on all the same. */
const DEPLOY_MS_MAX = 120_000;

/** How many listeners one page of a list has. */
const PAGE = 500;

const NOTHING: DeploymentMemo = { generation: 0, hash: '' };

export class DeploymentClient {
  readonly #client: Client;
  readonly #taskQueue: string;

  /** `taskQueue` is that of the project's workflows. */
  constructor(client: Client, taskQueue: string) {
    this.#client = client;
    this.#taskQueue = taskQueue;
  }

  /**
   * Makes the static listeners those of a configuration. A listener is what its definition says:
   * with another definition it is another listener, and the one before is deactivated. So is one
   * that is taken out; should it come back, it is a new one. Needs the worker of listeners.
   *
   * @throws DeployError if one of them can not be
   * @throws ListenerSilentError if no worker has done it in time; it goes on once there is one
   */
  async deploy(definitions: readonly ListenerDefinition[]): Promise<Deployed> {
    const input = await this.#firstInput();
    const { generation, hash } = input;
    const startWorkflowOperation = new WithStartWorkflowOperation(DEPLOYMENT_WORKFLOW_TYPE, {
      workflowId: deploymentWorkflowId(this.#taskQueue),
      taskQueue: listenerTaskQueue(this.#taskQueue),
      args: [input],
      memo: { generation, hash } satisfies DeploymentMemo,
      staticSummary: 'the listeners of the configuration',
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
    // Who starts it does not need its handle, nor hear twice of what went wrong.
    startWorkflowOperation.workflowHandle().catch(() => {});
    try {
      return await this.#client.connection.withDeadline(Date.now() + DEPLOY_MS_MAX, () =>
        this.#client.workflow.executeUpdateWithStart(deployUpdate, {
          args: [toRequest(definitions)],
          startWorkflowOperation,
        }),
      );
    } catch (error) {
      if (error instanceof WorkflowUpdateFailedError) throw new DeployError(innermost(error));
      if (!(error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)) throw error;
      throw new ListenerSilentError(
        `no worker with \`outbound\` on task queue ${this.#taskQueue} has deployed it within ${DEPLOY_MS_MAX} ms`,
        { cause: error },
      );
    }
  }

  /** The listeners that an earlier workflow had made, if somebody has ended or deleted it. */
  async #firstInput(): Promise<DeploymentInput> {
    const described = await describeExecution(this.#client, deploymentWorkflowId(this.#taskQueue));
    const info = described?.workflowExecutionInfo;
    if (info && isOpenStatus(info.status)) return { ...NOTHING, listeners: [] };
    const memo = await this.#memoOf(info);
    const client = new ListenerClient(this.#client, this.#taskQueue);
    const listeners: DeployedListener[] = [];
    let next: Uint8Array | null = null;
    do {
      const page = await client.list({}, { limit: PAGE, next });
      for (const { id, definition, isStatic, isRetired = false } of page.listeners) {
        const { name } = definition;
        if (isStatic && !isRetired) listeners.push({ name, id, hash: digest(definition) });
      }
      next = page.next;
    } while (next !== null);
    return { ...memo, listeners };
  }

  /** Needs no worker. */
  async current(): Promise<DeploymentMemo> {
    const described = await describeExecution(this.#client, deploymentWorkflowId(this.#taskQueue));
    return this.#memoOf(described?.workflowExecutionInfo);
  }

  async #memoOf(info: Execution | null | undefined): Promise<DeploymentMemo> {
    return { ...NOTHING, ...(info && (await decodeMemo<DeploymentMemo>(this.#client, info))) };
  }
}

/** What a configuration with these listeners is known by. */
export function hashOf(definitions: readonly ListenerDefinition[]): string {
  return toRequest(definitions).hash;
}

function toRequest(definitions: readonly ListenerDefinition[]): DeployRequest {
  const listeners = definitions.map((definition) => ({ definition, hash: digest(definition) }));
  return { hash: digest(listeners.map(({ hash }) => hash).toSorted()), listeners };
}

/** The same for the same content, in whatever order it was written. */
function digest(value: unknown): string {
  const text = JSON.stringify(value, (_key, inner: unknown) =>
    isRecord(inner) ? Object.fromEntries(Object.entries(inner).toSorted(byKey)) : inner,
  );
  return createHash('sha256').update(text).digest('hex');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function byKey([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}

/** What the listener said, behind the update and the activity that failed by it. */
function innermost(error: Error): string {
  return error.cause instanceof Error ? innermost(error.cause) : error.message;
}
