import type { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';

import type { Ready } from './health.ts';
import { shareLook } from './shared-look.ts';

/** How long Temporal may take to answer. */
const ANSWER_MS_MAX = 2_000;

/**
 * How long an answer is good for. Anybody may ask, and Temporal counts these requests with those
 * that accept events.
 */
const LOOK_MS = 1_000;

/**
 * A worker asks for work every minute or more often, and the server remembers one for five
 * minutes. The rest is for a request that takes its time, and for clocks that differ.
 */
const POLLED_MS_MAX = 75_000;

const { TASK_QUEUE_TYPE_WORKFLOW: WORKFLOW_TASKS } = proto.temporal.api.enums.v1.TaskQueueType;

/** What an ingress must reach to do its work. Its configuration is loaded, or it would not run. */
export interface ReadinessOptions {
  readonly connection: Connection;
  readonly namespace: string;
  /** Each of them needs a worker. */
  readonly taskQueues: readonly string[];
  /**
   * How long a worker counts after it has asked for work, in milliseconds. It does so every minute.
   *
   * @default 75_000
   */
  readonly polledMsMax?: number;
}

/**
 * Asks Temporal whether it answers, and whether workers poll the task queues. It does so once a
 * second at most, however often it is asked.
 *
 * @example
 * const taskQueues = [config.taskQueue, SOURCE_TASK_QUEUE];
 * const ready = createReadiness({ connection, namespace: 'default', taskQueues });
 */
export function createReadiness(options: ReadinessOptions): Ready {
  const { connection, namespace, taskQueues, polledMsMax = POLLED_MS_MAX } = options;
  const hasWorker = async (name: string) => {
    const { pollers } = await connection.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name },
      taskQueueType: WORKFLOW_TASKS,
    });
    return (pollers ?? []).some(({ lastAccessTime }) => {
      const polledMs = Number(lastAccessTime?.seconds ?? 0) * 1_000;
      return Date.now() - polledMs < polledMsMax;
    });
  };
  const askTemporal = async () => {
    await connection.workflowService.getSystemInfo({});
    const polled = await Promise.all(taskQueues.map(hasWorker));
    return taskQueues
      .filter((_name, index) => polled[index] !== true)
      .map((name) => `no worker polls the task queue ${name}`);
  };
  return shareLook(async () => {
    try {
      return await connection.withDeadline(Date.now() + ANSWER_MS_MAX, askTemporal);
    } catch {
      // A probe is told what is missing; why is for whoever looks after Temporal.
      return [`Temporal does not answer for namespace ${namespace}`];
    }
  }, LOOK_MS);
}
