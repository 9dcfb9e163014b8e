// Bundling takes seconds: what was bundled once is kept for all tests of a process.

import type { WorkerOptions, WorkflowBundle } from '@temporalio/worker';

import type { Config } from '../config/config.ts';
import {
  bundleListenerWorkflows,
  bundleSourceWorkflows,
  bundleWorkflows,
} from '../worker/bundle.ts';
import type { CreateWorkerOptions } from '../worker/worker.ts';

const bundles = new Map<string, Promise<WorkflowBundle>>();

/** What a project needs bundles of. */
export type Bundled = Pick<Config, 'workflowsPath' | 'outbound'>;

/** The bundle of a project's workflows, and those of the library's that it needs. */
export async function bundlesFor(
  { workflowsPath, outbound }: Bundled,
  { interceptors }: Pick<WorkerOptions, 'interceptors'> = {},
): Promise<NonNullable<CreateWorkerOptions['bundles']>> {
  const [workflows, sources, listeners] = await Promise.all([
    userBundle(workflowsPath, interceptors?.workflowModules),
    sourceBundle(),
    outbound && listenerBundle(),
  ]);
  return { workflows, sources, listeners };
}

export function userBundle(
  workflowsPath: string,
  interceptorModules: readonly string[] = [],
): Promise<WorkflowBundle> {
  return kept([workflowsPath, ...interceptorModules].join('\n'), () =>
    bundleWorkflows(workflowsPath, interceptorModules),
  );
}

export function sourceBundle(): Promise<WorkflowBundle> {
  return kept('', bundleSourceWorkflows);
}

export function listenerBundle(): Promise<WorkflowBundle> {
  return kept('listeners', bundleListenerWorkflows);
}

function kept(key: string, make: () => Promise<WorkflowBundle>): Promise<WorkflowBundle> {
  const bundle = bundles.get(key) ?? make();
  bundles.set(key, bundle);
  // A mistake in the code can be mended while a runner watches it.
  bundle.catch(() => bundles.delete(key));
  return bundle;
}
