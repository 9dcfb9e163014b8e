// The source worker that runs beside the workers of a process. The SDK takes only one worker for
// a task queue on a connection, so all that run on one share it: it starts with the first of
// them, and ends with the last.

import { Client, type Connection, type ConnectionOptions } from '@temporalio/client';
import type { NativeConnection, Worker, WorkflowBundleOption } from '@temporalio/worker';

import { connectWithoutRetry } from '../dispatch/dispatcher.ts';
import { createSourceWorker } from './source-worker.ts';

export interface SharedSourceOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  /** For its activities' own connection, to the same server. */
  readonly connectionOptions: ConnectionOptions;
  readonly workflowBundle?: WorkflowBundleOption | undefined;
}

/** A source worker that runs until everybody who shares it has released it. */
export interface SharedSourceWorker {
  /** Rejects if it fails. */
  readonly ended: Promise<void>;
  /** Resolves when it has ended, if nobody else shares it. */
  release(): Promise<void>;
}

interface Shared {
  users: number;
  readonly started: Promise<Started>;
  /** Set once nobody uses it any more: another one can be started when it has ended. */
  ending?: Promise<void>;
}

interface Started {
  readonly worker: Worker;
  readonly ended: Promise<void>;
}

const sharedOn = new WeakMap<NativeConnection, Map<string, Shared>>();

/** Resolves when it runs. */
export async function shareSourceWorker(options: SharedSourceOptions): Promise<SharedSourceWorker> {
  const { connection, namespace } = options;
  const all = sharedOn.get(connection) ?? new Map<string, Shared>();
  sharedOn.set(connection, all);
  while (all.get(namespace)?.ending) await all.get(namespace)?.ending;
  const shared = all.get(namespace) ?? { users: 0, started: start(options) };
  all.set(namespace, shared);
  shared.users += 1;
  const release = async (): Promise<void> => {
    shared.users -= 1;
    if (shared.users > 0) return;
    shared.ending = stop(shared).finally(() => all.delete(namespace));
    await shared.ending;
  };
  try {
    const { ended } = await shared.started;
    return { ended, release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Runs a worker, and shuts it down if the source worker fails: each needs the other. */
export async function runBeside(
  sources: SharedSourceWorker,
  worker: Worker,
  run: () => Promise<void>,
): Promise<void> {
  let failure: unknown;
  sources.ended.catch((error: unknown) => {
    failure = error;
    shutDown(worker);
  });
  await run();
  if (failure !== undefined) throw failure;
}

export function shutDown(worker: Worker): void {
  if (worker.getState() === 'RUNNING') worker.shutdown();
}

async function start(options: SharedSourceOptions): Promise<Started> {
  const { connection, namespace, connectionOptions, workflowBundle } = options;
  const clientConnection = await connectWithoutRetry(connectionOptions);
  const client = new Client({ connection: clientConnection, namespace });
  try {
    const worker = await createSourceWorker({ connection, client, workflowBundle });
    return { worker, ended: runThenClose(worker, clientConnection) };
  } catch (error) {
    await clientConnection.close();
    throw error;
  }
}

async function runThenClose(worker: Worker, connection: Connection): Promise<void> {
  try {
    await worker.run();
  } finally {
    await connection.close();
  }
}

async function stop({ started }: Shared): Promise<void> {
  try {
    const { worker, ended } = await started;
    shutDown(worker);
    await ended;
  } catch {
    // Whoever shares it has been told, by `shareSourceWorker` or by `ended`.
  }
}
