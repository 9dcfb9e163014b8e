// The option that all commands have which run a project.

import { resolve } from 'node:path';

import { Option } from 'commander';

import { findConfigFile } from '../config/load.ts';

/** What commander makes of it. */
export interface ConfigOption {
  readonly config?: string;
}

export function createConfigOption(): Option {
  return new Option('--config <file>', 'the configuration, if not the nextevent.config.* here');
}

/**
 * Makes the file that was given the configuration of this process, and of those that it starts.
 *
 * @throws ConfigError if there is none
 */
export function useConfig({ config }: ConfigOption): void {
  if (config !== undefined) process.env.NEXTEVENT_CONFIG = resolve(config);
  findConfigFile();
}
