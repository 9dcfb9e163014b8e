import { Command } from 'commander';

import type { Deployed } from '../workflows/deployment-messages.ts';
import { createConfigOption, type ConfigOption } from './config-option.ts';
import { prepareToRun } from './service.ts';

const HELP = `
A listener with another definition is another listener: the one before is deactivated, and its history
stays. So is one that is taken out. The same configuration again changes nothing. A worker of the
configuration has to run.

Environment:
  TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and all else by which Temporal's own tools find a server
`;

interface DeployOptions extends ConfigOption {
  readonly json?: boolean;
}

/** `nextevent deploy` */
export function createDeployCommand(): Command {
  return new Command('deploy')
    .description("make the listeners in Temporal those of the configuration's `outbound`")
    .addOption(createConfigOption())
    .option('--json', 'print a JSON object')
    .addHelpText('after', HELP)
    .action(deploy);
}

async function deploy(options: DeployOptions): Promise<void> {
  await prepareToRun(options);
  // Loaded here, so that other commands do not wait for all that it needs.
  const { deployListeners } = await import('./deploy-listeners.ts');
  const deployed = await deployListeners();
  console.log(options.json ? JSON.stringify(deployed) : toText(deployed));
}

function toText({ generation, created, deactivated, unchanged }: Deployed): string {
  return [
    `generation ${generation}`,
    ...created.map((id) => `created ${id}`),
    ...deactivated.map((id) => `deactivated ${id}`),
    ...unchanged.map((id) => `unchanged ${id}`),
  ].join('\n');
}
