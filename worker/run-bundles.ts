// Bundles that the processes of one run of this project's tests share, because to make one takes
// seconds and most of them would make the same.

import { createHash, randomUUID } from 'node:crypto';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { BundleOptions, WorkflowBundleWithSourceMap } from '@temporalio/worker';

/** A folder that is made when the run begins, and gone when it ends. */
const FOLDER_VARIABLE = 'NEXTEVENT_TEST_BUNDLES';

/**
 * What `make` gives for these options: made once in a run. Code does not change meanwhile, but for
 * what tests write themselves, which is younger than the run: that is made each time.
 */
export async function bundleOncePerRun(
  options: BundleOptions,
  make: (options: BundleOptions) => Promise<WorkflowBundleWithSourceMap>,
): Promise<WorkflowBundleWithSourceMap> {
  const folder = process.env[FOLDER_VARIABLE];
  if (!folder || (await isYounger(options.workflowsPath, folder))) return make(options);
  const path = join(folder, `${nameOf(options)}.json`);
  const made = await readFile(path, 'utf8').catch(() => undefined);
  if (made !== undefined) return JSON.parse(made) as WorkflowBundleWithSourceMap;
  const bundle = await make(options);
  await keep(path, JSON.stringify(bundle));
  return bundle;
}

async function isYounger(path: string, folder: string): Promise<boolean> {
  const [code, run] = await Promise.all([stat(path), stat(join(folder, 'begun'))]);
  return code.mtimeMs >= run.mtimeMs;
}

/** The hook is the same for all bundles of one clone. */
function nameOf({ workflowsPath, workflowInterceptorModules }: BundleOptions): string {
  const key = JSON.stringify([workflowsPath, workflowInterceptorModules]);
  return createHash('sha256').update(key).digest('hex');
}

async function keep(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  try {
    await writeFile(draft, text);
    await rename(draft, path);
  } catch {
    // The run is over, or the disk is full: the next process makes it again.
  }
}
