// The Temporal server that tests run on: a dev server of their own, or one that runs.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  Client,
  Connection,
  defaultGrpcRetryOptions,
  makeGrpcRetryInterceptor,
  type ConnectionOptions,
} from '@temporalio/client';
import { loadClientConnectConfig, type ClientConnectConfig } from '@temporalio/envconfig';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';

import { NAMESPACE } from '../dev/temporal-ready.ts';
import { startTemporal, type TemporalOptions, type TemporalServer } from '../dev/temporal.ts';
import { findTemporal } from '../scripts/find-temporal.mjs';

/** How often a call is made. */
const ATTEMPTS_MAX = 10;

const NO_NAMESPACE = /^Namespace .* is not found/;

/** A Temporal server, and the connections of a test to it. */
export interface TestServer extends AsyncDisposable {
  readonly address: string;
  readonly namespace: string;
  /** For more connections to it. */
  readonly connectionOptions: ConnectionOptions;
  readonly client: Client;
  /** For workers. */
  readonly nativeConnection: NativeConnection;
  /** Closes the connections, and ends the server if it was started for the test. */
  stop(): Promise<void>;
}

/** A server that was started for a test. Its database is gone once it is stopped. */
export interface OwnServer extends TestServer {
  readonly temporal: TemporalServer;
}

/**
 * Starts a Temporal dev server on a free port, with a database of its own that is gone afterwards.
 * If `TEMPORAL_ADDRESS` is set, it is that server instead, with the settings that Temporal's own
 * tools read; what tests leave there stays. Starting one takes a second or two: one is enough for
 * all tests of a file.
 *
 * @throws Error if there is no `temporal` executable, and none can be obtained
 *
 * @example
 * const server = await startTestServer();
 * after(() => server.stop());
 */
export async function startTestServer(): Promise<TestServer> {
  if (!process.env.TEMPORAL_ADDRESS) return startOwnServer();
  const { connectionOptions, namespace = NAMESPACE } = loadClientConnectConfig();
  return connect(connectionOptions, namespace);
}

/** Starts a dev server, whatever the environment says. */
export async function startOwnServer(
  options: Pick<TemporalOptions, 'tuned' | 'searchAttributes' | 'arguments'> = {},
): Promise<OwnServer> {
  const directory = await mkdtemp(join(tmpdir(), 'nextevent-test-'));
  const removeDirectory = () => rm(directory, { recursive: true, force: true });
  try {
    const executable = await findTemporal();
    const dbFilename = join(directory, 'temporal.db');
    const temporal = await startTemporal({ executable, dbFilename, ui: false, ...options });
    const server = await connect({ address: temporal.address }, NAMESPACE, [retrying()]);
    const stop = async (): Promise<void> => {
      await server.stop();
      await temporal.kill();
      await removeDirectory();
    };
    return { ...server, temporal, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await removeDirectory();
    throw error;
  }
}

/**
 * As the SDK repeats calls that fail, and those of which the server says for a moment, when it has very
 * much to do, that there is no such namespace.
 */
function retrying(): ReturnType<typeof makeGrpcRetryInterceptor> {
  const options = defaultGrpcRetryOptions();
  return makeGrpcRetryInterceptor({
    ...options,
    retryableDecider: (attempt, status) =>
      options.retryableDecider(attempt, status) ||
      (attempt < ATTEMPTS_MAX && NO_NAMESPACE.test(status.details)),
  });
}

async function connect(
  connectionOptions: ClientConnectConfig['connectionOptions'],
  namespace: string,
  interceptors?: ConnectionOptions['interceptors'],
): Promise<TestServer> {
  const connection = await Connection.connect({
    ...connectionOptions,
    ...(interceptors && { interceptors }),
  });
  const nativeConnection = await NativeConnection.connect(connectionOptions);
  const stop = async (): Promise<void> => {
    await nativeConnection.close();
    await connection.close();
  };
  return {
    address: connectionOptions.address ?? '',
    namespace,
    connectionOptions,
    client: new Client({ connection, namespace }),
    nativeConnection,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/**
 * Lets the Temporal SDK print errors only: by default it tells much about workers that come and
 * go. Call it before anything else of this process uses a worker or a native connection.
 *
 * @throws Error if the SDK's `Runtime` is there already
 *
 * @example
 * quietRuntime();
 * const server = await startTestServer();
 */
export function quietRuntime(): void {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } },
  });
}
