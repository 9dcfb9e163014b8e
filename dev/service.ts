// The worker or the ingress as a child process, which says when it is ready.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';

import { loaderOf } from './loader.ts';
import { watchOver } from './watchdog.ts';

/** Time for a process to be ready after its start, in milliseconds. */
const READY_MS_MAX = 120_000;

/** Time for a process to end when asked to, in milliseconds; after it, it is killed. */
const STOP_MS_MAX = 15_000;

/** In a clone everything runs as it is written, in a package as it was compiled. */
const EXTENSION = extname(import.meta.url);
const CONDITIONS = EXTENSION === '.ts' ? ['--conditions=source'] : [];

/** What a process sends once it is ready. */
export interface ReadyMessage {
  readonly type: 'ready';
  /** The ingress's. */
  readonly port?: number;
  readonly managementPort?: number;
  /** The worker's. */
  readonly workflowsPath?: string;
  /** The names of the configured sources; from the ingress, of those that take webhooks. */
  readonly sources?: readonly string[];
  /** The names of those that take every request, whoever sends it and whatever it says. */
  readonly open?: readonly string[];
  /** The names of those that take published events. */
  readonly published?: readonly string[];
}

/** A process that runs. */
export interface Service {
  readonly name: string;
  /** Rejects if the process ends before. */
  readonly ready: Promise<ReadyMessage>;
  /** Resolves when the process has ended, with how: `exit code 1`, `signal SIGKILL`. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

/** A process ended, or was not ready in time; it has said itself why. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
}

/** Starts the program `<name>/main`. */
export function startService(name: 'worker' | 'ingress', env: NodeJS.ProcessEnv): Service {
  const loader = loaderOf(env.NEXTEVENT_CONFIG);
  const child = fork(new URL(`../${name}/main${EXTENSION}`, import.meta.url), {
    env,
    execArgv: [...CONDITIONS, ...(loader === undefined ? [] : ['--import', loader])],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // A Ctrl-C in the terminal is for this process alone, which stops everything in order.
    detached: true,
  });
  watchOver(child);
  const ended = once(child, 'exit').then(([code, signal]) => describeEnd(code, signal));
  const ready = new Promise<ReadyMessage>((resolve, reject) => {
    const tooLate = setTimeout(() => {
      reject(new ServiceError(`the ${name} is not ready within ${READY_MS_MAX} ms`));
      child.kill('SIGKILL');
    }, READY_MS_MAX);
    child.on('message', (message) => {
      if (!isReady(message)) return;
      clearTimeout(tooLate);
      resolve(message);
    });
    child.once('exit', (code, signal) => {
      clearTimeout(tooLate);
      const how = describeEnd(code, signal);
      reject(new ServiceError(`the ${name} ended before it was ready: ${how}`));
    });
  });
  // Whoever waits for it hears of it; one that is stopped in the meantime is nobody's.
  ready.catch(() => {});
  return {
    name,
    ready,
    ended,
    async stop() {
      const tooLong = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
      child.kill('SIGTERM');
      await ended;
      clearTimeout(tooLong);
    },
  };
}

function describeEnd(code: number | null, signal: NodeJS.Signals | null): string {
  return code === null ? `signal ${signal}` : `exit code ${code}`;
}

function isReady(message: unknown): message is ReadyMessage {
  return (
    typeof message === 'object' && message !== null && 'type' in message && message.type === 'ready'
  );
}
