// When a Temporal server can be used, and how long its namespace keeps what is done.

import { Connection, isGrpcServiceError } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';

/** `default` exists on every dev server. */
export const NAMESPACE = 'default';

/** How long finished workflows are kept: duplicate events are known for as long. */
export const RETENTION_DAYS = 30;

const RETENTION_SECONDS = RETENTION_DAYS * 24 * 60 * 60;

/** Time for one call, in milliseconds. */
const CALL_MS_MAX = 3_000;

/** gRPC's status when there is no such workflow. */
const NOT_FOUND = 5;

/**
 * Resolves once every part of the server answers, and sets the namespace's retention.
 * Rejects if one of them does not answer yet.
 */
export async function prepareServer(address: string): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: CALL_MS_MAX });
  try {
    await connection.withDeadline(Date.now() + CALL_MS_MAX, async () => {
      await checkHistoryService(connection);
      await setRetention(connection);
    });
  } finally {
    await connection.close();
  }
}

/** The server's front answers before the service that keeps workflows does. */
async function checkHistoryService({ workflowService }: Connection): Promise<void> {
  const execution = { workflowId: 'nextevent/none' };
  try {
    await workflowService.describeWorkflowExecution({ namespace: NAMESPACE, execution });
  } catch (error) {
    const code: number | undefined = isGrpcServiceError(error) ? error.code : undefined;
    if (code !== NOT_FOUND) throw error;
  }
}

/** The dev server has no option for it, and its own default is one day. */
async function setRetention(connection: Connection): Promise<void> {
  if ((await retentionSeconds(connection)) === RETENTION_SECONDS) return;
  await connection.workflowService.updateNamespace({
    namespace: NAMESPACE,
    config: { workflowExecutionRetentionTtl: msToTs(RETENTION_SECONDS * 1_000) },
  });
  const retention = await retentionSeconds(connection);
  if (retention !== RETENTION_SECONDS) {
    throw new Error(`the namespace keeps workflows for ${retention} s, not ${RETENTION_SECONDS} s`);
  }
}

async function retentionSeconds({ workflowService }: Connection): Promise<number> {
  const { config } = await workflowService.describeNamespace({ namespace: NAMESPACE });
  return Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0);
}
