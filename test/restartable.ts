// A Temporal server that dies and comes back with what it had made durable.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';

import { startTemporal, type TemporalServer } from '../dev/temporal.ts';
import { findTemporal } from '../scripts/find-temporal.mjs';
import { TUNED, type TestServer } from './harness.ts';

export class RestartableServer implements TestServer {
  readonly namespace = 'default';
  readonly client: Client;
  readonly nativeConnection: NativeConnection;
  readonly #directory: string;
  #temporal: TemporalServer;

  constructor(
    options: Pick<TestServer, 'client' | 'nativeConnection' | 'temporal'> & { directory: string },
  ) {
    this.client = options.client;
    this.nativeConnection = options.nativeConnection;
    this.#directory = options.directory;
    this.#temporal = options.temporal;
  }

  get address(): string {
    return this.#temporal.address;
  }

  get connectionOptions(): { readonly address: string } {
    return { address: this.address };
  }

  get temporal(): TemporalServer {
    return this.#temporal;
  }

  /** Ends the server as a crash would. */
  async kill(): Promise<void> {
    await this.#temporal.kill();
  }

  /** Starts it again, on the same port, with the same database. */
  async startAgain(): Promise<void> {
    const port = Number(this.address.split(':')[1]);
    this.#temporal = await startIn(this.#directory, port);
  }

  async stop(): Promise<void> {
    await this.nativeConnection.close();
    await this.client.connection.close();
    await this.#temporal.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

export async function startRestartableServer(): Promise<RestartableServer> {
  const directory = await mkdtemp(join(tmpdir(), 'nextevent-test-'));
  const temporal = await startIn(directory);
  const { address } = temporal;
  const client = new Client({ connection: await Connection.connect({ address }) });
  const nativeConnection = await NativeConnection.connect({ address });
  return new RestartableServer({ directory, temporal, client, nativeConnection });
}

async function startIn(directory: string, port = 0): Promise<TemporalServer> {
  const dbFilename = join(directory, 'temporal.db');
  const executable = await findTemporal();
  return startTemporal({ executable, dbFilename, port, ui: false, tuned: TUNED });
}
