// The Temporal server of the dev runtime: the one that TEMPORAL_ADDRESS names, else its own.

import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';

import { findTemporal } from '../scripts/find-temporal.mjs';
import { StartError } from './errors.ts';
import { checkPort, HOST, PortTakenError } from './ports.ts';
import type { PortVariable, Settings } from './settings.ts';
import { NAMESPACE } from './temporal-ready.ts';
import {
  DatabaseTakenError,
  startTemporal,
  withoutTemporal,
  type TemporalOptions,
  type TemporalServer,
} from './temporal.ts';

/** What is kept between two starts, in the working directory. */
const STATE_DIRECTORY = '.nextevent';

/** Time for the server at TEMPORAL_ADDRESS to answer, in milliseconds. */
const CONNECT_MS_MAX = 5_000;

/** A server to use. */
export interface UsedTemporal {
  readonly address: string;
  readonly namespace: string;
  /** The environment by which a child process finds the server. */
  readonly env: NodeJS.ProcessEnv;
  /** Absent if it is not ours to stop. */
  readonly own?: TemporalServer;
}

/** @throws StartError with one sentence that says what to do */
export async function useTemporal({ ports, temporalAddress }: Settings): Promise<UsedTemporal> {
  await checkPortOf('PORT', ports.PORT);
  if (temporalAddress !== undefined) return useRunning(temporalAddress);
  await checkPortOf('TEMPORAL_PORT', ports.TEMPORAL_PORT);
  await checkPortOf('TEMPORAL_UI_PORT', ports.TEMPORAL_UI_PORT);
  const executable = await findTemporal({ print: (line) => console.log(line) });
  await mkdir(STATE_DIRECTORY, { recursive: true });
  const own = await startOwn({
    executable,
    dbFilename: join(STATE_DIRECTORY, 'temporal.db'),
    port: ports.TEMPORAL_PORT,
    uiPort: ports.TEMPORAL_UI_PORT,
  });
  const { address } = own;
  return { own, address, namespace: NAMESPACE, env: await environmentFor(address) };
}

async function startOwn(options: TemporalOptions): Promise<TemporalServer> {
  try {
    return await startTemporal(options);
  } catch (error) {
    if (!(error instanceof DatabaseTakenError)) throw error;
    throw new StartError(
      `${error.message}, because this project runs already: stop that one, or set TEMPORAL_ADDRESS to its server`,
      { cause: error },
    );
  }
}

async function environmentFor(address: string): Promise<NodeJS.ProcessEnv> {
  // A profile of the user's, for another server, would add its own key and certificates.
  const profileFile = resolve(STATE_DIRECTORY, 'temporal.toml');
  const profile = `[profile.default]\naddress = "${address}"\nnamespace = "${NAMESPACE}"\n`;
  await writeFile(profileFile, profile);
  return {
    ...withoutTemporal(process.env),
    TEMPORAL_CONFIG_FILE: profileFile,
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: NAMESPACE,
    // A proxy for the outside does not reach this machine.
    no_grpc_proxy: HOST,
  };
}

async function checkPortOf(variable: PortVariable, port: number): Promise<void> {
  if (port === 0) return;
  try {
    await checkPort(port);
  } catch (error) {
    if (!(error instanceof PortTakenError)) throw error;
    throw new StartError(`${error.message}: stop it, or set ${variable} to another port`, {
      cause: error,
    });
  }
}

async function useRunning(address: string): Promise<UsedTemporal> {
  const { connectionOptions, namespace = NAMESPACE } = loadClientConnectConfig();
  try {
    const connection = await Connection.connect({
      ...connectionOptions,
      connectTimeout: CONNECT_MS_MAX,
    });
    await connection.close();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StartError(
      `Temporal at ${address} can not be reached (${why}): start it, or unset TEMPORAL_ADDRESS to have one started`,
      { cause: error },
    );
  }
  return { address, namespace, env: process.env };
}
