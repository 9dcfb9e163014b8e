// The worker of a project: the user's workflows and activities on one task queue, and
// the source workflows on another, away from their load.

import { Client, type ConnectionOptions } from '@temporalio/client';
import {
  Worker,
  type NativeConnection,
  type WorkerOptions,
  type WorkflowBundle,
} from '@temporalio/worker';

import { createBacklogActivities } from '../activities/backlog.ts';
import { createCareActivities } from '../activities/care.ts';
import { deriveEvents } from '../activities/derive-events.ts';
import { createRegistrationActivities } from '../activities/registration.ts';
import { StateSizes } from '../activities/state-sizes.ts';
import type { Config } from '../config/config.ts';
import { resolveSource } from '../config/subscribable.ts';
import { connectWithoutRetry } from '../dispatch/dispatcher.ts';
import { Lanes } from '../dispatch/lanes.ts';
import { SourceClient } from '../dispatch/source-client.ts';
import { SubscriberClient } from '../dispatch/subscriber-client.ts';
import { SOURCE_ATTRIBUTE, SOURCE_TASK_QUEUE } from '../workflows/messages.ts';
import { checkTriggers } from './check-triggers.ts';
import { bundleSourceWorkflows, bundleWorkflows } from './bundle.ts';

export interface CreateWorkerOptions {
  readonly config: Config;
  readonly connection: NativeConnection;
  /** For the activities' own connection, to the same server. */
  readonly clientConnectionOptions: ConnectionOptions;
  readonly namespace: string;
  /** Bundles that were made before, by `bundleWorkflows` and `bundleSourceWorkflows`. */
  readonly bundles?: { readonly workflows: WorkflowBundle; readonly sources: WorkflowBundle };
  /** Settings of the worker that runs the user's workflows. */
  readonly workerOptions?: Partial<WorkerOptions>;
}

/** Runs until `shutdown`. */
export interface NextEventWorker {
  run(): Promise<void>;
  shutdown(): void;
}

/**
 * Makes the worker of a project. Its activities' connection is closed when `run` has ended.
 *
 * @throws ConfigError if a trigger names a workflow that there is not
 */
export async function createWorker(options: CreateWorkerOptions): Promise<NextEventWorker> {
  await checkTriggers(options.config);
  const clientConnection = await connectWithoutRetry(options.clientConnectionOptions);
  const client = new Client({ connection: clientConnection, namespace: options.namespace });
  const subscribers = new SubscriberClient(client);
  const parts = { client, subscribers, isSearchable: await subscribers.isSearchable() };
  if (!parts.isSearchable) console.warn(notSearchable(options.namespace));
  const workers = await Promise.all([
    createUserWorker(options, parts),
    createSourceWorker(options, parts),
  ]);
  return {
    async run() {
      try {
        await Promise.all(workers.map((worker) => worker.run()));
      } finally {
        await clientConnection.close();
      }
    },
    shutdown() {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    },
  };
}

interface Parts {
  readonly client: Client;
  readonly subscribers: SubscriberClient;
  readonly isSearchable: boolean;
}

function notSearchable(namespace: string): string {
  return (
    `namespace ${namespace} has no search attribute ${SOURCE_ATTRIBUTE}: workflows can not be found ` +
    'by the sources that they subscribe to, and a source workflow that is terminated can not ' +
    'recover its subscriptions. To add it: temporal operator search-attribute create ' +
    `--namespace ${namespace} --name ${SOURCE_ATTRIBUTE} --type KeywordList`
  );
}

async function createUserWorker(
  options: CreateWorkerOptions,
  { client, isSearchable }: Parts,
): Promise<Worker> {
  const { config, connection, namespace, workerOptions } = options;
  const sourceClient = new SourceClient(client);
  const registration = createRegistrationActivities({
    client: sourceClient,
    sizes: new StateSizes(sourceClient),
    isSearchable,
    resolveSource: (name) => resolveSource(config, name),
  });
  return Worker.create({
    ...workerOptions,
    connection,
    namespace,
    taskQueue: config.taskQueue,
    workflowBundle: options.bundles?.workflows ?? (await bundleWorkflows(config.workflowsPath)),
    activities: { ...config.activities, ...workerOptions?.activities, ...registration },
    interceptors: {
      ...workerOptions?.interceptors,
      activity: [deriveEvents, ...(workerOptions?.interceptors?.activity ?? [])],
    },
  });
}

async function createSourceWorker(options: CreateWorkerOptions, parts: Parts): Promise<Worker> {
  const { client } = parts;
  const sourceClient = new SourceClient(client);
  return Worker.create({
    connection: options.connection,
    namespace: options.namespace,
    taskQueue: SOURCE_TASK_QUEUE,
    workflowBundle: options.bundles?.sources ?? (await bundleSourceWorkflows()),
    activities: {
      ...createBacklogActivities({
        client: sourceClient,
        lanes: new Lanes(client, Number.POSITIVE_INFINITY),
      }),
      ...createCareActivities({ ...parts, client: sourceClient }),
    },
  });
}
