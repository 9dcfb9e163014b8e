// What the library adds to a worker that runs a user's workflows. `createWorker`, the plugin and
// the plain helper are three ways to the same.

import type { Client } from '@temporalio/client';
import type { ReplayWorkerOptions, WorkerOptions } from '@temporalio/worker';

import { deriveEvents } from '../activities/derive-events.ts';
import { createListenerActivities } from '../activities/listeners.ts';
import { createRegistrationActivities } from '../activities/registration.ts';
import { StateSizes } from '../activities/state-sizes.ts';
import {
  resolveConfig,
  type Config,
  type ConfigOptions,
  type TriggerOptions,
} from '../config/config.ts';
import { resolveSource } from '../config/subscribable.ts';
import { createToDefinition } from '../config/to-definition.ts';
import { ListenerClient } from '../dispatch/listener-client.ts';
import { SourceClient } from '../dispatch/source-client.ts';
import { SubscriberClient } from '../dispatch/subscriber-client.ts';
import { checkBundle, withConditions, withInterceptors } from './bundle.ts';
import { PATIENT } from './patient.ts';
import { createSearchable } from './searchable.ts';

/** What workflows can subscribe to: a whole configuration, or its sources and triggers alone. */
export interface SubscribableOptions extends Pick<ConfigOptions, 'sources'> {
  /**
   * Workflows can subscribe by the name of a trigger, too.
   *
   * @default none
   */
  readonly triggers?: ReadonlyArray<
    Omit<TriggerOptions, 'workflow'> & { readonly workflow: string }
  >;
}

/** What `nextEventWorkerOptions` needs besides the worker's own options. */
export interface NextEventDeps {
  /** The default export of `nextevent.config.ts`, or its sources and triggers alone. */
  readonly config: SubscribableOptions;
  /** Of the worker's namespace, on a connection of its own that `connectWithoutRetry` has made. */
  readonly client: Client;
}

/** The activities by which workflows subscribe, and by which they create and change listeners. */
export type RegistrationActivities = ReturnType<typeof createRegistrationActivities> &
  ReturnType<typeof createListenerActivities>;

/**
 * Adds to the options of `Worker.create` what workflows need that use `nextevent/workflow`, for a
 * worker that does without `NextEventPlugin`. Somewhere a source worker must run, too: see
 * `createSourceWorker`.
 *
 * @throws ConfigError if a source or a trigger is not as it must be, or if `workflowBundle` was
 * made without the interceptors of the library
 *
 * @example
 * const connection = await NativeConnection.connect({ address });
 * const client = new Client({ connection: await connectWithoutRetry({ address }) });
 * const options = { connection, taskQueue: 'orders', workflowsPath, activities };
 * const worker = await Worker.create(nextEventWorkerOptions(options, { config, client }));
 * const sources = await createSourceWorker({ connection, client });
 * await Promise.all([worker.run(), sources.run()]);
 */
export function nextEventWorkerOptions(
  options: WorkerOptions,
  { config, client }: NextEventDeps,
): WorkerOptions {
  return withRegistration(options, createRegistration(client, resolveSubscribable(config)));
}

/** @throws ConfigError */
export function resolveSubscribable(options: SubscribableOptions): Config {
  // The rest of a configuration is for whoever makes the whole worker.
  return resolveConfig({ workflowsPath: '.', ...options }, process.cwd());
}

export function createRegistration(
  client: Client,
  config: Pick<Config, 'sources' | 'triggers' | 'outbound' | 'taskQueue'>,
): RegistrationActivities {
  const sourceClient = new SourceClient(client);
  return {
    ...createRegistrationActivities({
      client: sourceClient,
      sizes: new StateSizes(sourceClient),
      isSearchable: createSearchable(new SubscriberClient(client), client.options.namespace),
      resolveSource: (name) => resolveSource(config, name),
    }),
    ...createListenerActivities({
      client: new ListenerClient(client, config.taskQueue),
      toDefinition: createToDefinition(config),
    }),
  };
}

/** Adds all that a worker needs; `registration` may come to have its client only later. */
export function withRegistration(
  options: WorkerOptions,
  registration: RegistrationActivities,
): WorkerOptions {
  const { interceptors } = options;
  return withInbox({
    ...PATIENT,
    ...options,
    activities: { ...options.activities, ...registration },
    interceptors: { ...interceptors, activity: [deriveEvents, ...(interceptors?.activity ?? [])] },
  });
}

/** Adds what workflow code needs, where it is bundled, and checks it where it was before. */
export function withInbox<Options extends WorkerOptions | ReplayWorkerOptions>(
  options: Options,
): Options {
  const { workflowBundle, workflowsPath, interceptors, bundlerOptions } = options;
  if (workflowBundle !== undefined) checkBundle(workflowBundle);
  if (workflowBundle !== undefined || workflowsPath === undefined) return options;
  return {
    ...options,
    interceptors: {
      ...interceptors,
      workflowModules: withInterceptors(interceptors?.workflowModules),
    },
    bundlerOptions: {
      ...bundlerOptions,
      webpackConfigHook: withConditions(bundlerOptions?.webpackConfigHook),
    },
  };
}
