// The worker of the listeners of a project, on a task queue of its own: receivers that are slow or
// dead hold up nothing of the user's.

import type { Client } from '@temporalio/client';
import { Worker, type NativeConnection, type WorkflowBundleOption } from '@temporalio/worker';

import { createAttemptActivities } from '../activities/attempt.ts';
import { createDeliveryActivities } from '../activities/deliveries.ts';
import { createDeploymentActivities } from '../activities/deployment.ts';
import type { Config } from '../config/config.ts';
import { ConfigError } from '../config/errors.ts';
import { DeliveryClient } from '../dispatch/delivery-client.ts';
import { DeliveryReader } from '../dispatch/delivery-reading.ts';
import { ListenerClient } from '../dispatch/listener-client.ts';
import type { Mocks } from '../outbound/attempt.ts';
import { listenerTaskQueue } from '../workflows/listener-messages.ts';
import { bundleListenerWorkflows } from './bundle.ts';
import { createRegistration } from './options.ts';
import { PATIENT } from './patient.ts';

/**
 * How many attempts are on their way at once. They do little but wait, and those that wait for dead
 * receivers must leave room for the others: a listener whose receiver is dead has one at a time.
 */
const ATTEMPTS_AT_ONCE = 1_000;

/** Workers that take up what a worker that is gone had in its cache wait so long for it. */
const STICKY_MS_MAX = 5_000;

/** A worker that is shut down waits so long for attempts on their way: others would repeat them. */
const SHUTDOWN_GRACE_MS = 5_000;

/** Attempts say this often that their worker is still there: it counts as gone after eight seconds. */
const HEARTBEAT_MS = 1_000;

export interface ListenerWorkerOptions {
  /** What `loadConfig` gives. It has `outbound`. */
  readonly config: Config;
  readonly connection: NativeConnection;
  /** Of the same namespace, on a connection of its own that `connectWithoutRetry` has made. */
  readonly client: Client;
  /**
   * A bundle that `bundleListenerWorkflows` has made before.
   *
   * @default makes one, which takes some seconds
   */
  readonly workflowBundle?: WorkflowBundleOption | undefined;
  /**
   * Answers in place of receivers, in tests.
   *
   * @default none
   */
  readonly mocks?: Mocks | undefined;
}

/**
 * Makes the worker that runs the listeners of a project, for processes that do without
 * `createWorker`. Any number may run; a source worker must run somewhere, too.
 *
 * @throws ConfigError if the configuration has no `outbound`
 *
 * @example
 * const config = await loadConfig();
 * const connection = await NativeConnection.connect({ address });
 * const client = new Client({ connection: await connectWithoutRetry({ address }) });
 * const listeners = await createListenerWorker({ config, connection, client });
 * await listeners.run();
 */
export async function createListenerWorker(options: ListenerWorkerOptions): Promise<Worker> {
  const { config, connection, client, workflowBundle, mocks } = options;
  const { outbound } = config;
  if (outbound === undefined) throw new ConfigError('the configuration has no `outbound`');
  const reader = new DeliveryReader(client);
  return Worker.create({
    connection,
    namespace: client.options.namespace,
    taskQueue: listenerTaskQueue(config.taskQueue),
    workflowBundle: workflowBundle ?? (await bundleListenerWorkflows()),
    stickyQueueScheduleToStartTimeout: STICKY_MS_MAX,
    ...PATIENT,
    shutdownGraceTime: SHUTDOWN_GRACE_MS,
    maxConcurrentActivityTaskExecutions: ATTEMPTS_AT_ONCE,
    maxHeartbeatThrottleInterval: HEARTBEAT_MS,
    activities: {
      ...createRegistration(client, config),
      ...createAttemptActivities({
        outbound,
        readStored: (...stored) => reader.readStoredEvent(...stored),
        ...(mocks && { mocks }),
      }),
      ...createDeploymentActivities({ client: new ListenerClient(client, config.taskQueue) }),
      ...createDeliveryActivities({ client: new DeliveryClient(client), reader }),
    },
  });
}
