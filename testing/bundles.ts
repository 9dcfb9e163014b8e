// Bundling takes seconds: what was bundled once is kept for all tests of a process.

import type { WorkerOptions, WorkflowBundle } from '@temporalio/worker';

import { bundleSourceWorkflows, bundleWorkflows } from '../worker/bundle.ts';

const bundles = new Map<string, Promise<WorkflowBundle>>();

/** The bundle of a project's workflows, and that of the library's. */
export async function bundlesFor(
  workflowsPath: string,
  { interceptors }: Pick<WorkerOptions, 'interceptors'> = {},
): Promise<{ readonly workflows: WorkflowBundle; readonly sources: WorkflowBundle }> {
  const [workflows, sources] = await Promise.all([
    userBundle(workflowsPath, interceptors?.workflowModules),
    sourceBundle(),
  ]);
  return { workflows, sources };
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

function kept(key: string, make: () => Promise<WorkflowBundle>): Promise<WorkflowBundle> {
  const bundle = bundles.get(key) ?? make();
  bundles.set(key, bundle);
  // A mistake in the code can be mended while a runner watches it.
  bundle.catch(() => bundles.delete(key));
  return bundle;
}
