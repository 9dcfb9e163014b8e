// The worker of the source workflows, on a task queue of its own, away from the load of the
// user's workflows.

import type { Client } from '@temporalio/client';
import { Worker, type NativeConnection, type WorkflowBundleOption } from '@temporalio/worker';

import { createBacklogActivities } from '../activities/backlog.ts';
import { createCareActivities } from '../activities/care.ts';
import { createSegmentActivities } from '../activities/segments.ts';
import { Lanes } from '../dispatch/lanes.ts';
import { SourceClient } from '../dispatch/source-client.ts';
import { SourceRuns } from '../dispatch/source-runs.ts';
import { SubscriberClient } from '../dispatch/subscriber-client.ts';
import { SOURCE_TASK_QUEUE } from '../workflows/messages.ts';
import { bundleSourceWorkflows } from './bundle.ts';
import { PATIENT } from './patient.ts';

/** After the end of a worker, its sources wait so long for it, in milliseconds, before another has them. */
const STICKY_MS_MAX = 5_000;

/**
 * Its activities' heartbeats are passed on this often. The SDK's own rule, after 4 of the 5 seconds
 * that they may be late, begins a second attempt on a busy machine, and tells where it was late.
 */
const HEARTBEAT_MS = 1_000;

export interface SourceWorkerOptions {
  readonly connection: NativeConnection;
  /** Of the same namespace, on a connection of its own that `connectWithoutRetry` has made. */
  readonly client: Client;
  /**
   * A bundle that `bundleSourceWorkflows` has made before.
   *
   * @default makes one, which takes some seconds
   */
  readonly workflowBundle?: WorkflowBundleOption | undefined;
}

/**
 * Makes the worker that runs the workflows of the sources, for processes that do without
 * `NextEventPlugin` and `createWorker`. At least one must run in a namespace.
 *
 * @example
 * const sources = await createSourceWorker({ connection, client });
 * await sources.run();
 */
export async function createSourceWorker(options: SourceWorkerOptions): Promise<Worker> {
  const { connection, client, workflowBundle } = options;
  const { namespace } = client.options;
  const sources = new SourceClient(client);
  const subscribers = new SubscriberClient(client);
  return Worker.create({
    connection,
    namespace,
    taskQueue: SOURCE_TASK_QUEUE,
    workflowBundle: workflowBundle ?? (await bundleSourceWorkflows()),
    stickyQueueScheduleToStartTimeout: STICKY_MS_MAX,
    ...PATIENT,
    maxHeartbeatThrottleInterval: HEARTBEAT_MS,
    activities: {
      ...createBacklogActivities({
        client: sources,
        lanes: new Lanes(client, Number.POSITIVE_INFINITY),
      }),
      ...createCareActivities({
        client: sources,
        subscribers,
        runs: new SourceRuns(client),
      }),
      ...createSegmentActivities({ client: sources }),
    },
  });
}
