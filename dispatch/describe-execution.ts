import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';

import { toFailureKind } from './failures.ts';

/** How long one attempt may take. */
const ATTEMPT_MS_MAX = 1_500;

type Described = proto.temporal.api.workflowservice.v1.IDescribeWorkflowExecutionResponse;

/**
 * The mutable state of a workflow's last run: strongly consistent, with no worker. `undefined`:
 * there is no such workflow. One attempt.
 *
 * It is on the way of every event, and the SDK's own `describe` decodes far more than this.
 */
export async function describeExecution(
  { connection, options }: Client,
  workflowId: string,
): Promise<Described | undefined> {
  try {
    return await connection.withDeadline(Date.now() + ATTEMPT_MS_MAX, () =>
      connection.workflowService.describeWorkflowExecution({
        namespace: options.namespace,
        execution: { workflowId },
      }),
    );
  } catch (error) {
    if (toFailureKind(error) === 'gone') return undefined;
    throw error;
  }
}

const { WorkflowExecutionStatus: STATUS } = proto.temporal.api.enums.v1;

const ENDED: ReadonlySet<unknown> = new Set([
  STATUS.WORKFLOW_EXECUTION_STATUS_COMPLETED,
  STATUS.WORKFLOW_EXECUTION_STATUS_FAILED,
  STATUS.WORKFLOW_EXECUTION_STATUS_CANCELED,
  STATUS.WORKFLOW_EXECUTION_STATUS_TERMINATED,
  STATUS.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW,
  STATUS.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
]);

/** Newer servers have more statuses of workflows that go on. */
export function isOpenStatus(status: unknown): boolean {
  return !ENDED.has(status);
}
