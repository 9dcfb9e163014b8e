import { Client, type ConnectionOptions } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { SimplePlugin } from '@temporalio/plugin';
import type {
  BundleOptions,
  ReplayWorkerOptions,
  Worker,
  WorkerOptions,
  WorkflowBundleOption,
} from '@temporalio/worker';

import type { Config } from '../config/config.ts';
import { ConfigError } from '../config/errors.ts';
import { connectWithoutRetry } from '../dispatch/dispatcher.ts';
import { SOURCE_TASK_QUEUE } from '../workflows/messages.ts';
import { nextEventBundleOptions } from './bundle.ts';
import {
  createRegistration,
  resolveSubscribable,
  withInbox,
  withRegistration,
  type RegistrationActivities,
  type SubscribableOptions,
} from './options.ts';
import { runBeside, shareSourceWorker, shutDown } from './shared-source-worker.ts';

/** What `NextEventPlugin` is made of. */
export interface NextEventPluginOptions {
  /** The default export of `nextevent.config.ts`, or its sources and triggers alone. */
  readonly config: SubscribableOptions;
  /**
   * How the library's activities reach the server, on a connection of their own: the SDK's own
   * retry would hold workflows up. It must be the server of the worker's connection.
   *
   * @default what the environment and the profile file of Temporal's tools say
   */
  readonly connectionOptions?: ConnectionOptions;
  /**
   * Whether a source worker runs for as long as the user's worker does. At least one must run in
   * a namespace.
   *
   * @default true
   */
  readonly sourceWorker?: boolean;
  /**
   * A bundle for the source worker, which `bundleSourceWorkflows` has made before.
   *
   * @default makes one at the start, which takes some seconds
   */
  readonly sourceBundle?: WorkflowBundleOption;
}

/** The activities of a worker that runs. */
interface Running {
  readonly namespace: string;
  readonly registration: RegistrationActivities;
}

/**
 * Lets the workflows of any worker subscribe to events: give it to `Worker.create`, and to
 * `bundleWorkflowCode` and `Worker.runReplayHistory` where they are used.
 *
 * Listeners run in a worker of their own: see `createListenerWorker`.
 *
 * Its workflow interceptors come before all others, whatever the order of the plugins. One that
 * puts its own interceptors before those of others must stand before this one in the list.
 *
 * @example
 * import { Worker } from '@temporalio/worker';
 * import { NextEventPlugin } from 'nextevent/worker';
 *
 * import config from './nextevent.config.ts';
 *
 * const worker = await Worker.create({
 *   taskQueue: 'orders',
 *   workflowsPath,
 *   activities,
 *   plugins: [new NextEventPlugin({ config })],
 * });
 * await worker.run();
 */
export class NextEventPlugin extends SimplePlugin {
  readonly #config: Config;
  readonly #options: NextEventPluginOptions;
  readonly #running = new Set<Running>();

  /** @throws ConfigError if a source or a trigger is not as it must be */
  constructor(options: NextEventPluginOptions) {
    super({ name: 'NextEventPlugin' });
    this.#config = resolveSubscribable(options.config);
    this.#options = options;
  }

  /** @throws ConfigError if the workflow bundle was made without this plugin */
  override configureWorker(options: WorkerOptions): WorkerOptions {
    const configured = super.configureWorker(options);
    // The source worker gets this plugin, too, if it is one of the connection's.
    if (options.taskQueue === SOURCE_TASK_QUEUE) return configured;
    return withRegistration(configured, this.#registrationIn(options.namespace ?? 'default'));
  }

  /** @throws ConfigError if the workflow bundle was made without this plugin */
  override configureReplayWorker(options: ReplayWorkerOptions): ReplayWorkerOptions {
    return withInbox(super.configureReplayWorker(options));
  }

  override configureBundler(options: BundleOptions): BundleOptions {
    return nextEventBundleOptions(super.configureBundler(options));
  }

  override async runWorker(worker: Worker, next: (w: Worker) => Promise<void>): Promise<void> {
    const run = () => super.runWorker(worker, next);
    if (worker.options.taskQueue === SOURCE_TASK_QUEUE) return run();
    let isRun = false;
    try {
      await this.#runConnected(worker, () => {
        isRun = true;
        return run();
      });
    } catch (error) {
      if (isRun) throw error;
      // It has to run to let go of its connection, or nobody could close that.
      const ended = run();
      shutDown(worker);
      await ended;
      throw error;
    }
  }

  async #runConnected(worker: Worker, run: () => Promise<void>): Promise<void> {
    const { connection } = worker;
    const { namespace } = worker.options;
    const { sourceWorker = true, sourceBundle: workflowBundle } = this.#options;
    const { connectionOptions = loadClientConnectConfig().connectionOptions } = this.#options;
    const clientConnection = await connectWithoutRetry(connectionOptions);
    const client = new Client({ connection: clientConnection, namespace });
    const running = { namespace, registration: createRegistration(client, this.#config) };
    this.#running.add(running);
    try {
      if (!sourceWorker || connection === undefined) return await run();
      const sourceOptions = { connection, namespace, connectionOptions, workflowBundle };
      const sources = await shareSourceWorker(sourceOptions);
      try {
        await runBeside(sources, worker, run);
      } finally {
        await sources.release();
      }
    } finally {
      this.#running.delete(running);
      await clientConnection.close();
    }
  }

  /** Activities whose connection is that of a running worker: options are made before any runs. */
  #registrationIn(namespace: string): RegistrationActivities {
    const current = (): RegistrationActivities => {
      for (const running of this.#running) {
        if (running.namespace === namespace) return running.registration;
      }
      throw new ConfigError(`no worker with NextEventPlugin runs in namespace ${namespace}`);
    };
    return {
      nexteventRegister: async (request) => current().nexteventRegister(request),
      nexteventRegisterAgain: async (requests) => current().nexteventRegisterAgain(requests),
      nexteventUnregister: async (ended) => current().nexteventUnregister(ended),
      nexteventWithdraw: async (withdrawn, since) => current().nexteventWithdraw(withdrawn, since),
      nexteventSuspend: async (held, run) => current().nexteventSuspend(held, run),
      nexteventCreateListener: async (request) => current().nexteventCreateListener(request),
      nexteventChangeListener: async (id, options) =>
        current().nexteventChangeListener(id, options),
      nexteventActivateListener: async (id) => current().nexteventActivateListener(id),
      nexteventDeactivateListener: async (id, reason) =>
        current().nexteventDeactivateListener(id, reason),
      nexteventRemoveListener: async (id) => current().nexteventRemoveListener(id),
    };
  }
}
