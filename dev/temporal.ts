// A Temporal dev server as a child process, on the machine itself only.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { checkPort, freePort, HOST, isListening } from './ports.ts';
import { NAMESPACE, prepareServer } from './temporal-ready.ts';
import { watchOver } from './watchdog.ts';
import { SOURCE_ATTRIBUTE } from '../workflows/messages.ts';

/** Time for a server to answer after its start, in milliseconds. */
const READY_MS_MAX = 60_000;

/** Time between two looks whether it answers, in milliseconds. */
const READY_LOOK_MS = 50;

/** Time for a server to stop when asked to, in milliseconds; after it, it is killed. */
const STOP_MS_MAX = 10_000;

/** The server takes ports of its own choice too, which another program can have taken since. */
const STARTS_MAX = 3;

/** Lines of the server's output that are kept, to be shown if it fails. */
const OUTPUT_LINES_MAX = 20;

const SEARCH_ATTRIBUTES = { [SOURCE_ATTRIBUTE]: 'KeywordList' };

/**
 * A wake-up takes 57 ms without the first two, because the server pauses between tasks that
 * follow each other at once; the other two are for starts. Nothing but time depends on them.
 */
const TUNED: readonly string[] = [
  'history.transferProcessorMaxPollRPS=2000',
  'history.timerProcessorMaxPollRPS=2000',
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
];

/**
 * The server itself holds the file for as long as it lives, however it ends: two servers on one
 * file would each take the other's work for its own.
 */
const ONE_SERVER_PRAGMA = 'locking_mode=EXCLUSIVE';

/** What a server says that has found the file held. */
const HELD = 'database is locked';

/** With `synchronous=NORMAL` a power cut can lose the last writes; the end of a process can not. */
const TUNED_PRAGMAS: readonly string[] = ['journal_mode=WAL', 'synchronous=NORMAL'];

/** Another server runs on the file. */
export class DatabaseTakenError extends Error {
  override readonly name = 'DatabaseTakenError';
}

export interface TemporalOptions {
  /** The path of the `temporal` executable. */
  readonly executable: string;
  /**
   * The SQLite file, made if it is not there: a later server on the same file has all that it
   * holds. It takes one server at a time.
   */
  readonly dbFilename: string;
  /** @default a free port */
  readonly port?: number;
  /**
   * Whether it serves the web UI.
   *
   * @default true
   */
  readonly ui?: boolean;
  /** @default a free port */
  readonly uiPort?: number;
  /**
   * Whether it runs with the settings of the dev runtime instead of its plain defaults.
   *
   * @default true
   */
  readonly tuned?: boolean;
  /**
   * Search attributes to add, by name, with their types: `Keyword`, `Int` and so on.
   *
   * @default that of this library
   */
  readonly searchAttributes?: Readonly<Record<string, string>>;
  /**
   * Further arguments of the server.
   *
   * @default none
   */
  readonly arguments?: readonly string[];
}

/** How a server ended. */
export interface TemporalExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it said last. */
  readonly output: string;
}

/** A server that runs. */
export interface TemporalServer {
  readonly address: string;
  /** Absent without the UI. */
  readonly uiAddress?: string;
  readonly pid: number;
  /** Resolves when the process has ended, for whatever reason. */
  readonly exited: Promise<TemporalExit>;
  /** Stops it in order, and resolves when it has ended. */
  stop(): Promise<void>;
  /** Ends it as a crash would, and resolves when it has ended. */
  kill(): Promise<void>;
}

interface Ports {
  readonly port: number;
  readonly uiPort?: number;
}

interface ServerProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly exited: Promise<TemporalExit>;
}

/**
 * Starts a server, and resolves when it answers. It ends with this process at the latest.
 *
 * @throws PortTakenError if something else listens on a port that was asked for
 * @throws DatabaseTakenError if another server runs on the file
 */
export async function startTemporal(options: TemporalOptions): Promise<TemporalServer> {
  for (let start = 1; ; start += 1) {
    const ports = await resolvePorts(options);
    const process = await launch(options, ports);
    try {
      await untilReady(process, ports.port);
      return toServer(process, ports);
    } catch (error) {
      process.child.kill('SIGKILL');
      const { output } = await process.exited;
      if (output.includes(HELD)) {
        const message = `${options.dbFilename} is in use by another Temporal server`;
        throw new DatabaseTakenError(message, { cause: error });
      }
      const isAnothersPort = output.includes('address already in use');
      if (!isAnothersPort || start === STARTS_MAX) throw error;
    }
  }
}

async function resolvePorts({ port, uiPort, ui = true }: TemporalOptions): Promise<Ports> {
  const own = await resolvePort(port);
  return ui ? { port: own, uiPort: await resolvePort(uiPort) } : { port: own };
}

async function resolvePort(given = 0): Promise<number> {
  if (given === 0) return freePort();
  await checkPort(given);
  return given;
}

async function launch(options: TemporalOptions, ports: Ports): Promise<ServerProcess> {
  const child = spawn(options.executable, argumentsOf(options, ports), {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Its settings are the arguments, not those by which clients find a server.
    env: withoutTemporal(process.env),
    // A Ctrl-C in the terminal is for this process alone, which stops everything in order.
    detached: true,
  });
  const lines: string[] = [];
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on('line', (line) => {
      lines.push(line);
      if (lines.length > OUTPUT_LINES_MAX) lines.shift();
    });
  }
  const exited = once(child, 'close').then(([code, signal]): TemporalExit => {
    return { code, signal, output: lines.join('\n') };
  });
  // `once` rejects if the program can not be started, which is told here.
  exited.catch(() => {});
  await once(child, 'spawn');
  watchOver(child);
  return { child, pid: child.pid ?? 0, exited };
}

/** The environment without what the Temporal programs read in it. */
export function withoutTemporal(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TEMPORAL_')));
}

function argumentsOf(options: TemporalOptions, { port, uiPort }: Ports): string[] {
  const { dbFilename, tuned = true, searchAttributes = SEARCH_ATTRIBUTES } = options;
  const attributes = Object.entries(searchAttributes).map(([name, type]) => `${name}=${type}`);
  return [
    'server',
    'start-dev',
    `--ip=${HOST}`,
    `--port=${port}`,
    uiPort === undefined ? '--headless' : `--ui-port=${uiPort}`,
    `--db-filename=${dbFilename}`,
    `--namespace=${NAMESPACE}`,
    '--log-level=error',
    ...(tuned ? TUNED : []).map((value) => `--dynamic-config-value=${value}`),
    ...[ONE_SERVER_PRAGMA, ...(tuned ? TUNED_PRAGMAS : [])].map(
      (pragma) => `--sqlite-pragma=${pragma}`,
    ),
    ...attributes.map((attribute) => `--search-attribute=${attribute}`),
    ...(options.arguments ?? []),
  ];
}

async function untilReady({ exited }: ServerProcess, port: number): Promise<void> {
  const until = Date.now() + READY_MS_MAX;
  let lastError: unknown;
  while (Date.now() < until) {
    const exit = await Promise.race([exited, sleep(READY_LOOK_MS)]);
    if (exit !== undefined) throw new Error(`the Temporal server ended at once: ${exit.output}`);
    if (!(await isListening(port))) continue;
    try {
      return await prepareServer(`${HOST}:${port}`);
    } catch (error) {
      lastError = error;
    }
  }
  throw new Error(`the Temporal server does not answer within ${READY_MS_MAX} ms`, {
    cause: lastError,
  });
}

function toServer({ child, pid, exited }: ServerProcess, ports: Ports): TemporalServer {
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await exited;
  };
  return {
    address: `${HOST}:${ports.port}`,
    ...(ports.uiPort === undefined ? {} : { uiAddress: `http://${HOST}:${ports.uiPort}` }),
    pid,
    exited,
    kill: () => end('SIGKILL'),
    async stop() {
      const tooLong = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
      await end('SIGTERM').finally(() => clearTimeout(tooLong));
    },
  };
}
