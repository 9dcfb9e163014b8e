// The three bundles of workflow code: the user's workflows with the library's interceptors, the
// workflows of sources, and those of listeners, which subscribe as the user's do.

import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

import {
  bundleWorkflowCode,
  type BundleOptions,
  type WorkflowBundleOption,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';

import { ConfigError } from '../config/errors.ts';
import { bundleOncePerRun } from './run-bundles.ts';

const EXTENSION = extname(import.meta.url);

/** In a clone, `nextevent/workflow` is its own source, in bundles too. */
const IS_CLONE = EXTENSION === '.ts';
const CONDITIONS = IS_CLONE ? ['source'] : [];

const INTERCEPTORS = fileURLToPath(
  new URL(`../workflows/interceptors${EXTENSION}`, import.meta.url),
);

const SOURCE_INTERCEPTORS = fileURLToPath(
  new URL(`../workflows/source-interceptors${EXTENSION}`, import.meta.url),
);

/** The header in which the interceptors carry the inbox: no other module has this text in it. */
const INTERCEPTORS_MARK = 'nextevent-inbox';

type WebpackConfigHook = NonNullable<BundleOptions['webpackConfigHook']>;

/**
 * Adds to the options of `bundleWorkflowCode` what workflows need that use `nextevent/workflow`,
 * for a worker that does without `NextEventPlugin`. The library's interceptors come first, before
 * all others: an interceptor between an event and the inbox could lose events.
 *
 * @example
 * const workflowBundle = await bundleWorkflowCode(nextEventBundleOptions({ workflowsPath }));
 */
export function nextEventBundleOptions(options: BundleOptions): BundleOptions {
  return {
    ...options,
    workflowInterceptorModules: withInterceptors(options.workflowInterceptorModules),
    webpackConfigHook: withConditions(options.webpackConfigHook),
  };
}

/** The library's interceptors, and after them the others. */
export function withInterceptors(modules: readonly string[] = []): string[] {
  return [INTERCEPTORS, ...modules.filter((module) => module !== INTERCEPTORS)];
}

/** Resolves packages as the library itself does; twice is the same as once. */
export function withConditions(hook: WebpackConfigHook = (config) => config): WebpackConfigHook {
  return (given) => {
    const config = hook(given);
    const names = config.resolve?.conditionNames ?? ['...'];
    const missing = CONDITIONS.filter((name) => !names.includes(name));
    return { ...config, resolve: { ...config.resolve, conditionNames: [...missing, ...names] } };
  };
}

/**
 * Checks that the library's interceptors are in a bundle that was made before.
 *
 * @throws ConfigError
 */
export function checkBundle(made: WorkflowBundleOption): void {
  const code = 'code' in made ? made.code : readFileSync(made.codePath, 'utf8');
  if (code.includes(INTERCEPTORS_MARK)) return;
  throw new ConfigError(
    'the workflow bundle has no interceptors of nextevent in it: make it with bundleWorkflowCode and NextEventPlugin among its plugins, or with nextEventBundleOptions',
  );
}

/** Bundles a user's workflows. Other interceptor modules come after the library's. */
export function bundleWorkflows(
  workflowsPath: string,
  otherInterceptorModules: readonly string[] = [],
): Promise<WorkflowBundleWithSourceMap> {
  const workflowInterceptorModules = [...otherInterceptorModules];
  return bundle(nextEventBundleOptions({ workflowsPath, workflowInterceptorModules }));
}

/** Bundles the workflows of the library, for `createSourceWorker`. */
export function bundleSourceWorkflows(): Promise<WorkflowBundleWithSourceMap> {
  const workflowsPath = fileURLToPath(new URL(`../workflows/index${EXTENSION}`, import.meta.url));
  const workflowInterceptorModules = [SOURCE_INTERCEPTORS];
  return bundle({ workflowsPath, workflowInterceptorModules, webpackConfigHook: withConditions() });
}

/** Bundles the workflows of listeners and their deliveries, for `createListenerWorker`. */
export function bundleListenerWorkflows(): Promise<WorkflowBundleWithSourceMap> {
  const workflowsPath = fileURLToPath(
    new URL(`../workflows/outbound${EXTENSION}`, import.meta.url),
  );
  return bundle(nextEventBundleOptions({ workflowsPath }));
}

function bundle(options: BundleOptions): Promise<WorkflowBundleWithSourceMap> {
  // What the bundler has to tell is about its own doings, unless it fails: then it throws.
  const logger = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };
  const quiet = { ...options, logger };
  return IS_CLONE ? bundleOncePerRun(quiet, bundleWorkflowCode) : bundleWorkflowCode(quiet);
}
