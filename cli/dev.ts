import { Command } from 'commander';

import { createConfigOption, useConfig, type ConfigOption } from './config-option.ts';

const ENVIRONMENT = `
Environment:
  PORT              where the ingress listens (8088)
  TEMPORAL_PORT     where Temporal listens (7233)
  TEMPORAL_UI_PORT  where its web UI does (8233); 0 stands for any free port
  TEMPORAL_ADDRESS  a Temporal that runs, to be used instead of one that is started
`;

interface DevOptions extends ConfigOption {
  readonly reload: boolean;
}

/** `nextevent dev` */
export function createDevCommand(): Command {
  return new Command('dev')
    .description('run Temporal, the worker and the ingress, and reload what changes')
    .addOption(createConfigOption())
    .option('--no-reload', 'leave them as they are when files change')
    .addHelpText('after', ENVIRONMENT)
    .action(dev);
}

async function dev(options: DevOptions): Promise<void> {
  useConfig(options);
  // Loaded here, so that other commands do not wait for all that it needs.
  const { runDev } = await import('../dev/run.ts');
  const { resolveSettings } = await import('../dev/settings.ts');
  const args = options.reload ? ['--reload'] : [];
  process.exit(await runDev(resolveSettings(process.env, args)));
}
