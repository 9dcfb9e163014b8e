// Runs Temporal's dev server.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { Connection } from '@temporalio/client';

/** How long the namespace keeps what has ended: also how long a start is not repeated. */
export const RETENTION_DAYS = 30;

/** How long the server may take to answer after its start. */
const START_MS_MAX = 30_000;

/** How much of the server's output is kept for an error message, in characters. */
const OUTPUT_LENGTH_MAX = 2_000;

/** Measured to be six times faster than the defaults. Correctness never depends on them. */
const TUNED = [
  ...['journal_mode=WAL', 'synchronous=NORMAL'].flatMap((pragma) => ['--sqlite-pragma', pragma]),
  ...[
    'history.transferProcessorMaxPollRPS=2000',
    'history.timerProcessorMaxPollRPS=2000',
    'matching.numTaskqueueReadPartitions=1',
    'matching.numTaskqueueWritePartitions=1',
  ].flatMap((value) => ['--dynamic-config-value', value]),
];

export interface StartTemporalOptions {
  /** The `temporal` command. */
  readonly executable: string;
  /** Holds everything that the server knows; the next start goes on from it. */
  readonly dbFilename: string;
  /** @default any free port */
  readonly port?: number;
  /** @default any free port */
  readonly uiPort?: number;
  /** @default false */
  readonly ui?: boolean;
  /** Faster settings than the server's defaults. @default true */
  readonly tuned?: boolean;
}

export interface TemporalServer {
  readonly address: string;
  readonly port: number;
  readonly uiAddress: string | undefined;
  readonly pid: number;
  readonly exited: Promise<unknown>;
  /** Asks it to end, and waits until it has. */
  stop(): Promise<void>;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
}

/** Returns once the server answers for its namespace. */
export async function startTemporal(options: StartTemporalOptions): Promise<TemporalServer> {
  const port = options.port || (await freePort());
  const uiPort = options.uiPort || (await freePort());
  const child = spawn(
    options.executable,
    [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port)],
      ...(options.ui ? ['--ui-ip', '127.0.0.1', '--ui-port', String(uiPort)] : ['--headless']),
      ...['--db-filename', options.dbFilename, '--log-level', 'error'],
      ...((options.tuned ?? true) ? TUNED : []),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const output = outputOf(child);
  const exited = once(child, 'exit');
  const address = `127.0.0.1:${port}`;
  await untilReady(child, address, output);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
  };
  return {
    address,
    port,
    uiAddress: options.ui ? `http://127.0.0.1:${uiPort}` : undefined,
    pid: child.pid ?? 0,
    exited,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

async function untilReady(
  child: ChildProcess,
  address: string,
  output: () => string,
): Promise<void> {
  const deadline = Date.now() + START_MS_MAX;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`Temporal did not start: ${output()}`);
    try {
      await setRetention(address);
      return;
    } catch (error) {
      if (Date.now() > deadline) {
        child.kill('SIGKILL');
        throw new Error(`Temporal does not answer on ${address}: ${output()}`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function setRetention(address: string): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: 500 });
  try {
    const seconds = RETENTION_DAYS * 24 * 60 * 60;
    await connection.withDeadline(Date.now() + 2_000, () =>
      connection.workflowService.updateNamespace({
        namespace: 'default',
        config: { workflowExecutionRetentionTtl: { seconds: seconds as never } },
      }),
    );
  } finally {
    await connection.close();
  }
}

function outputOf(child: ChildProcess): () => string {
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-OUTPUT_LENGTH_MAX);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return () => output.trim();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
