import { Client } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { Command } from 'commander';

import { loadConfig } from '../config/load.ts';
import { StartError } from '../dev/errors.ts';
import { DeploymentClient } from '../dispatch/deployment-client.ts';
import { connectWithoutRetry } from '../dispatch/dispatcher.ts';
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
  const { outbound, taskQueue } = await loadConfig();
  if (outbound === undefined) throw new StartError('the configuration has no `outbound`');
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const connection = await connectWithoutRetry(connectionOptions).catch((error: unknown) => {
    const address = connectionOptions.address ?? 'localhost:7233';
    throw new StartError(`Temporal at ${address} can not be reached`, { cause: error });
  });
  try {
    const client = new DeploymentClient(new Client({ connection, namespace }), taskQueue);
    const deployed = await client.deploy(outbound.listeners);
    console.log(options.json ? JSON.stringify(deployed) : toText(deployed));
  } finally {
    await connection.close();
  }
}

function toText({ generation, created, deactivated, unchanged }: Deployed): string {
  return [
    `generation ${generation}`,
    ...created.map((id) => `created ${id}`),
    ...deactivated.map((id) => `deactivated ${id}`),
    ...unchanged.map((id) => `unchanged ${id}`),
  ].join('\n');
}
