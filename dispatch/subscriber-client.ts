// The workflows that subscribe, as seen from outside.

import type { Client } from '@temporalio/client';

import type { Subscription } from '../events/subscription.ts';
import {
  SOURCE_ATTRIBUTE,
  subscriptionsQuery,
  type HeldDescription,
} from '../workflows/messages.ts';
import { describeExecution, isOpenStatus } from './describe-execution.ts';
import { retrying, toFailureKind } from './failures.ts';
import { CALL_MS_MAX } from './source-client.ts';

const ATTEMPT_MS_MAX = 1_500;

/** A workflow as the server knows it, whether or not a worker is there. */
export interface SubscriberDescription {
  readonly runId: string;
  readonly firstRunId: string;
  /** It has not ended. */
  readonly isOpen: boolean;
  /** Of the history of its run. */
  readonly historyBytes: number;
}

export class SubscriberClient {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Strongly consistent. `undefined`: there is no such workflow. */
  async describe(workflowId: string): Promise<SubscriberDescription | undefined> {
    const described = await describeExecution(this.#client, workflowId);
    if (described === undefined) return undefined;
    const { workflowExecutionInfo: info } = described;
    return {
      runId: info?.execution?.runId ?? '',
      firstRunId: info?.firstRunId ?? '',
      isOpen: isOpenStatus(info?.status),
      historyBytes: Number(info?.historySizeBytes ?? 0),
    };
  }

  /** What the workflow itself says that it holds. Needs its worker. */
  held(workflowId: string, forMs = ATTEMPT_MS_MAX): Promise<readonly HeldDescription[]> {
    return this.#client.connection.withDeadline(Date.now() + forMs, () =>
      this.#client.workflow.getHandle(workflowId).query(subscriptionsQuery),
    );
  }

  /** Whether the namespace has the search attribute that names the sources of a workflow. */
  async isSearchable(): Promise<boolean> {
    try {
      await retrying(CALL_MS_MAX, () =>
        this.#attempt(() => this.#count(`${SOURCE_ATTRIBUTE} = '-'`)),
      );
      return true;
    } catch (error) {
      if (toFailureKind(error) === 'refused') return false;
      throw error;
    }
  }

  async #count(query: string): Promise<number> {
    const { count } = await this.#client.workflow.count(query);
    return count;
  }

  #attempt<T>(call: () => Promise<T>): Promise<T> {
    return this.#client.connection.withDeadline(Date.now() + ATTEMPT_MS_MAX, call);
  }
}

/** Whether the subscriptions of this target can be dropped: its workflow has ended. */
export function isGone(
  described: SubscriberDescription | undefined,
  { firstRunId }: Pick<Subscription, 'firstRunId'>,
): boolean {
  if (described === undefined || !described.isOpen) return true;
  // A server that does not tell the first run tells nothing against it.
  return described.firstRunId !== '' && described.firstRunId !== firstRunId;
}
