// The worker or the ingress as a child process, which says when it is ready.

import { fork } from 'node:child_process';
import { once } from 'node:events';

import { watchOver } from './watchdog.ts';

/** Time for a process to be ready after its start, in milliseconds. */
const READY_MS_MAX = 120_000;

/** Time for a process to end when asked to, in milliseconds; after it, it is killed. */
const STOP_MS_MAX = 15_000;

/** So that sources run as they are, whatever the working directory. */
const NODE_OPTIONS = ['--conditions=source', '--import', import.meta.resolve('tsx')];

/** What a process sends once it is ready. */
export interface ReadyMessage {
  readonly type: 'ready';
  /** The ingress's. */
  readonly port?: number;
  /** The worker's. */
  readonly workflowsPath?: string;
  /** The names of the configured sources. */
  readonly sources?: readonly string[];
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

/** Starts `<name>/main.ts`. */
export function startService(name: 'worker' | 'ingress', env: NodeJS.ProcessEnv): Service {
  const child = fork(new URL(`../${name}/main.ts`, import.meta.url), {
    env,
    execArgv: NODE_OPTIONS,
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
