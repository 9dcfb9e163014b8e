// A program of the project that runs in this very process, so that signals and the exit code are its own.

import { loaderOf } from '../dev/loader.ts';
import { useConfig, type ConfigOption } from './config-option.ts';

/** Makes this process ready to load the project's configuration and workflows. */
export async function prepareToRun(options: ConfigOption): Promise<void> {
  useConfig(options);
  const loader = loaderOf(process.env.NEXTEVENT_CONFIG);
  if (loader !== undefined) await import(loader);
}
