// What `nextevent deploy` does, with all that it loads.

import { Client } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';

import { loadConfig } from '../config/load.ts';
import { StartError } from '../dev/errors.ts';
import { DeploymentClient } from '../dispatch/deployment-client.ts';
import { connectWithoutRetry } from '../dispatch/dispatcher.ts';
import type { Deployed } from '../workflows/deployment-messages.ts';

/** Makes the listeners in Temporal those of the configuration. */
export async function deployListeners(): Promise<Deployed> {
  const { outbound, taskQueue } = await loadConfig();
  if (outbound === undefined) throw new StartError('the configuration has no `outbound`');
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const connection = await connectWithoutRetry(connectionOptions).catch((error: unknown) => {
    const address = connectionOptions.address ?? 'localhost:7233';
    throw new StartError(`Temporal at ${address} can not be reached`, { cause: error });
  });
  try {
    const client = new DeploymentClient(new Client({ connection, namespace }), taskQueue);
    return await client.deploy(outbound.listeners);
  } finally {
    await connection.close();
  }
}
