// `nextevent/worker`: for processes that run workflows.

export { ConfigError } from '../config/errors.ts';
export { loadConfig } from '../config/load.ts';
export type { Config } from '../config/config.ts';
export { connectWithoutRetry } from '../dispatch/dispatcher.ts';
export {
  bundleListenerWorkflows,
  bundleSourceWorkflows,
  bundleWorkflows,
  nextEventBundleOptions,
} from './bundle.ts';
export { createListenerWorker } from './listener-worker.ts';
export type { ListenerWorkerOptions } from './listener-worker.ts';
export { nextEventWorkerOptions } from './options.ts';
export type { NextEventDeps, SubscribableOptions } from './options.ts';
export { NextEventPlugin } from './plugin.ts';
export type { NextEventPluginOptions } from './plugin.ts';
export { createSourceWorker } from './source-worker.ts';
export type { SourceWorkerOptions } from './source-worker.ts';
export { createWorker } from './worker.ts';
export type { CreateWorkerOptions, NextEventWorker } from './worker.ts';
