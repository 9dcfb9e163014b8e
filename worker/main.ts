// The worker process. Its settings: nextevent.config.ts, and the environment and profile file
// that Temporal's own tools read.

import { setTimeout as sleep } from 'node:timers/promises';

import { ServiceError } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, type NativeConnectionOptions } from '@temporalio/worker';

import { loadConfig } from '../config/load.ts';
import { startLog, type Log } from '../config/log.ts';
import { settleDeployment, type DeploymentPlace } from './deployment.ts';
import { createWorker, type CreateWorkerOptions, type NextEventWorker } from './worker.ts';
import { installRuntime } from './workflow-task-failures.ts';

const DEFAULT_ADDRESS = '127.0.0.1:7233';

/** Time for Temporal to answer at the start, in milliseconds. */
const CONNECT_MS_MAX = 10_000;

/** Something outside the process is not as it must be, and the message says what. */
class StartError extends Error {
  override readonly name = 'StartError';
}

try {
  await main(startLog(process.env));
  process.exit(0);
} catch (error) {
  // For whoever starts it, whatever form the log has.
  process.stderr.write(`${toSentence(error)}\n`);
  process.exit(1);
}

async function main(log: Log): Promise<void> {
  const config = await loadConfig();
  const { WORKER_METRICS_ADDRESS: metricsAddress } = process.env;
  installRuntime(log, metricsAddress ? { metricsAddress } : {});
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const address = connectionOptions.address ?? DEFAULT_ADDRESS;
  const clientConnectionOptions = { ...connectionOptions, address };
  const connection = await connect(clientConnectionOptions);
  const worker = await create({ config, connection, clientConnectionOptions, namespace });
  process.on('SIGTERM', () => worker.shutdown());
  process.on('SIGINT', () => worker.shutdown());
  // The parent has gone, and nobody else would end this process.
  process.on('disconnect', () => worker.shutdown());
  const ended = worker.run();
  console.log(`worker polling task queue ${config.taskQueue}`);
  const place = { config, connectionOptions: clientConnectionOptions, namespace };
  await Promise.race([tellDeployment(place), ended]);
  const { workflowsPath, sources } = config;
  process.send?.({ type: 'ready', workflowsPath, sources: [...sources.keys()] });
  await ended;
  await connection.close();
}

/** Whatever becomes of it, the worker runs. */
async function tellDeployment(place: DeploymentPlace): Promise<void> {
  try {
    const line = await settleDeployment(place);
    if (line !== undefined) console.log(line);
  } catch (error) {
    console.error(`the listeners are not deployed: ${reasonOf(error)}`);
  }
}

async function connect(options: NativeConnectionOptions): Promise<NativeConnection> {
  try {
    return await Promise.race([NativeConnection.connect(options), failAfter(CONNECT_MS_MAX)]);
  } catch (error) {
    throw toUnreachable(error, options.address);
  }
}

/** Temporal can go away again while the worker is made. */
async function create(options: CreateWorkerOptions): Promise<NextEventWorker> {
  try {
    return await createWorker(options);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    throw toUnreachable(error.cause ?? error, options.clientConnectionOptions.address);
  }
}

function toUnreachable(cause: unknown, address = DEFAULT_ADDRESS): StartError {
  return new StartError(`Temporal at ${address} can not be reached: ${reasonOf(cause)}`, { cause });
}

async function failAfter(milliseconds: number): Promise<never> {
  await sleep(milliseconds, undefined, { ref: false });
  throw new Error(`no answer within ${milliseconds} ms`);
}

/** The innermost message of the connection's native part, which prints its errors as data. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return /message: "([^"]+)"/.exec(error.message)?.[1] ?? error.message;
}

function toSentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isExpected = error.name === 'StartError' || error.name === 'ConfigError';
  return isExpected ? error.message : (error.stack ?? error.message);
}
