import { pathToFileURL } from 'node:url';

import type { Config } from '../config/config.ts';
import { ConfigError } from '../config/errors.ts';

/**
 * Checks that every trigger names a workflow that the module exports: the compiler does it only
 * for a configuration that is given the module's type.
 *
 * @throws ConfigError
 */
export async function checkTriggers(config: Config): Promise<void> {
  const { workflowsPath, taskQueue, triggers } = config;
  const module = await importWorkflows(workflowsPath);
  // A default export takes every workflow that has no export of its own.
  if (typeof module.default === 'function') return;
  const names = Object.keys(module).filter((name) => typeof module[name] === 'function');
  for (const trigger of triggers) {
    // On another task queue is another worker, with workflows of its own.
    if (trigger.taskQueue !== taskQueue || names.includes(trigger.workflow)) continue;
    throw new ConfigError(
      `trigger "${trigger.name}": there is no workflow "${trigger.workflow}" in ${workflowsPath}, only ${names.join(', ')}`,
    );
  }
}

async function importWorkflows(path: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ERR_UNKNOWN_FILE_EXTENSION') throw error;
    throw new ConfigError(
      `${path} is TypeScript, and the configuration is not: compile both, or neither`,
      { cause: error },
    );
  }
}
