// The worker of a project: the user's workflows and activities on one task queue, and the source
// workflows and listeners on others, away from their load.

import { Client, type ConnectionOptions } from '@temporalio/client';
import {
  Worker,
  type NativeConnection,
  type WorkerOptions,
  type WorkflowBundle,
} from '@temporalio/worker';

import type { Config } from '../config/config.ts';
import { connectWithoutRetry } from '../dispatch/dispatcher.ts';
import type { Mocks } from '../outbound/attempt.ts';
import { closeTransports } from '../outbound/outbound.ts';
import { bundleWorkflows } from './bundle.ts';
import { checkTriggers } from './check-triggers.ts';
import { createListenerWorker } from './listener-worker.ts';
import { createRegistration, withRegistration } from './options.ts';
import { runBeside, shareSourceWorker, shutDown } from './shared-source-worker.ts';

export interface CreateWorkerOptions {
  /** What `loadConfig` gives. */
  readonly config: Config;
  readonly connection: NativeConnection;
  /** For the activities' own connection, to the same server. */
  readonly clientConnectionOptions: ConnectionOptions;
  readonly namespace: string;
  /** Bundles that were made before, by `bundleWorkflows` and `bundleSourceWorkflows`. */
  readonly bundles?: {
    readonly workflows: WorkflowBundle;
    readonly sources: WorkflowBundle;
    /** By `bundleListenerWorkflows`; it is made if the configuration needs it. */
    readonly listeners?: WorkflowBundle | undefined;
  };
  /** Settings of the worker that runs the user's workflows. */
  readonly workerOptions?: Partial<WorkerOptions>;
  /**
   * Answers in place of the receivers of listeners, in tests.
   *
   * @default none
   */
  readonly mocks?: Mocks;
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
 *
 * @example
 * const config = await loadConfig();
 * const clientConnectionOptions = { address: '127.0.0.1:7233' };
 * const connection = await NativeConnection.connect(clientConnectionOptions);
 * const namespace = 'default';
 * const worker = await createWorker({ config, connection, clientConnectionOptions, namespace });
 * await worker.run();
 */
export async function createWorker(options: CreateWorkerOptions): Promise<NextEventWorker> {
  const { connection, namespace, clientConnectionOptions: connectionOptions, bundles } = options;
  await checkTriggers(options.config);
  const workflowBundle = bundles?.sources;
  const sourceOptions = { connection, namespace, connectionOptions, workflowBundle };
  const sources = await shareSourceWorker(sourceOptions);
  const clientConnection = await connectWithoutRetry(connectionOptions);
  const close = async (): Promise<void> => {
    if (options.config.outbound) await closeTransports(options.config.outbound);
    await sources.release();
    await clientConnection.close();
  };
  try {
    const client = new Client({ connection: clientConnection, namespace });
    const worker = await createUserWorker(options, client);
    const listeners = await createListeners(options, client);
    return {
      async run() {
        try {
          await runBeside(sources, worker, () => runBoth(worker, listeners));
        } finally {
          await close();
        }
      },
      shutdown: () => shutDown(worker),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** None if the configuration has none. */
async function createListeners(
  { config, connection, bundles, mocks }: CreateWorkerOptions,
  client: Client,
): Promise<Worker | undefined> {
  if (config.outbound === undefined) return undefined;
  const workflowBundle = bundles?.listeners;
  return createListenerWorker({ config, connection, client, workflowBundle, mocks });
}

/** The end of either is the end of both. */
async function runBoth(worker: Worker, listeners: Worker | undefined): Promise<void> {
  if (listeners === undefined) return worker.run();
  const running = [worker, listeners];
  const ended = running.map(async (each) => {
    try {
      await each.run();
    } finally {
      for (const other of running) shutDown(other);
    }
  });
  for (const result of await Promise.allSettled(ended)) {
    if (result.status === 'rejected') throw result.reason;
  }
}

async function createUserWorker(options: CreateWorkerOptions, client: Client): Promise<Worker> {
  const { config, connection, namespace, bundles, workerOptions } = options;
  const { workflowModules, ...interceptors } = workerOptions?.interceptors ?? {};
  const own: WorkerOptions = {
    ...workerOptions,
    connection,
    namespace,
    taskQueue: config.taskQueue,
    workflowBundle:
      bundles?.workflows ?? (await bundleWorkflows(config.workflowsPath, workflowModules)),
    activities: { ...config.activities, ...workerOptions?.activities },
    // The modules are in the bundle.
    interceptors,
  };
  return Worker.create(withRegistration(own, createRegistration(client, config)));
}
