// What a worker has to do with the deployed configuration: it says if that is another one. Only
// whoever deploys changes listeners, so that workers of two configurations do not fight.

import { Client, type ConnectionOptions } from '@temporalio/client';

import type { Config } from '../config/config.ts';
import { DeploymentClient, hashOf } from '../dispatch/deployment-client.ts';
import { connectWithoutRetry } from '../dispatch/dispatcher.ts';
import type { Deployed } from '../workflows/deployment-messages.ts';

/** Set by the dev runtime, whose worker deploys what it runs. */
const DEPLOY_VARIABLE = 'NEXTEVENT_DEPLOY';

export interface DeploymentPlace {
  readonly config: Config;
  readonly connectionOptions: ConnectionOptions;
  readonly namespace: string;
}

/** A line to print, if there is something to say. */
export async function settleDeployment({
  config,
  connectionOptions,
  namespace,
}: DeploymentPlace): Promise<string | undefined> {
  const { outbound, taskQueue } = config;
  if (outbound === undefined) return undefined;
  const connection = await connectWithoutRetry(connectionOptions);
  try {
    const deployment = new DeploymentClient(new Client({ connection, namespace }), taskQueue);
    if (process.env[DEPLOY_VARIABLE] === '1') {
      return describeDeployed(await deployment.deploy(outbound.listeners));
    }
    const { hash } = await deployment.current();
    const isDeployed = hash === hashOf(outbound.listeners);
    const isNothing = hash === '' && outbound.listeners.length === 0;
    if (isDeployed || isNothing) return undefined;
    return 'the listeners of this configuration are not the deployed ones: npx nextevent deploy makes them that';
  } finally {
    await connection.close();
  }
}

function describeDeployed({ created, deactivated }: Deployed): string | undefined {
  const changes = [
    ...(created.length > 0 ? [`created ${created.join(', ')}`] : []),
    ...(deactivated.length > 0 ? [`deactivated ${deactivated.join(', ')}`] : []),
  ];
  return changes.length === 0 ? undefined : `listeners deployed: ${changes.join('; ')}`;
}
