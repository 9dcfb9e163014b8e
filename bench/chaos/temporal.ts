// Calls to Temporal that are repeated until the server is back.

import type { Client } from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';

import { toFailureKind } from '../../dispatch/failures.ts';
import { sleep } from './clock.ts';

const ATTEMPT_MS_MAX = 5_000;
const AGAIN_MS = 200;
const CALL_MS_MAX = 300_000;

/** Calls until it succeeds. A workflow that is not there is an answer, and thrown. */
export async function persistently<T>(client: Client, call: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + CALL_MS_MAX;
  for (;;) {
    try {
      return await client.connection.withDeadline(Date.now() + ATTEMPT_MS_MAX, call);
    } catch (error) {
      const isAnswer = error instanceof WorkflowExecutionAlreadyStartedError;
      if (isAnswer || toFailureKind(error) === 'gone' || performance.now() > deadline) throw error;
      await sleep(AGAIN_MS);
    }
  }
}

/** The first run of the workflow that runs, or was the last to run, under an id. */
export async function describeChain(
  client: Client,
  workflowId: string,
): Promise<{ readonly firstRunId: string; readonly isRunning: boolean }> {
  const { raw, status } = await persistently(client, () =>
    client.workflow.getHandle(workflowId).describe(),
  );
  const firstRunId = raw.workflowExecutionInfo?.firstRunId ?? '';
  return { firstRunId, isRunning: status.name === 'RUNNING' };
}
