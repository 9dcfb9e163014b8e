// The two bundles of workflow code: the user's workflows with the library's interceptors,
// and the library's own workflows.

import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

import {
  bundleWorkflowCode,
  type BundleOptions,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';

const EXTENSION = extname(import.meta.url);

/** In a clone, `nextevent/workflow` is its own source, in bundles too. */
const CONDITIONS = EXTENSION === '.ts' ? ['source'] : [];

/** Bundles a user's workflows. Other interceptor modules come after the library's. */
export function bundleWorkflows(
  workflowsPath: string,
  otherInterceptorModules: readonly string[] = [],
): Promise<WorkflowBundleWithSourceMap> {
  return bundle({
    workflowsPath,
    workflowInterceptorModules: [
      fileURLToPath(new URL(`../workflows/interceptors${EXTENSION}`, import.meta.url)),
      ...otherInterceptorModules,
    ],
  });
}

/** Bundles the workflows of the library. */
export function bundleSourceWorkflows(): Promise<WorkflowBundleWithSourceMap> {
  const workflowsPath = fileURLToPath(new URL(`../workflows/index${EXTENSION}`, import.meta.url));
  return bundle({ workflowsPath });
}

function bundle(options: BundleOptions): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({
    ...options,
    // What the bundler has to tell is about its own doings, unless it fails: then it throws.
    logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} },
    webpackConfigHook: (config) => ({
      ...config,
      resolve: {
        ...config.resolve,
        conditionNames: [...CONDITIONS, ...(config.resolve?.conditionNames ?? ['...'])],
      },
    }),
  });
}
