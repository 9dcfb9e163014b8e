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
  const module = (await import(pathToFileURL(workflowsPath).href)) as Record<string, unknown>;
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
