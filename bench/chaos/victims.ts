// The processes that are killed and stopped, and come back by themselves.

import { createInterface } from 'node:readline';

import { startProcess, type TestProcess } from '../../test/harness.ts';
import type { RestartableServer } from '../../test/restartable.ts';
import { sleep } from './clock.ts';

/** In the line of a worker that tells of a workflow task that has failed. */
const TASK_FAILED = 'failed its task';

/** Between attempts to start a process that could not start, for example without its server. */
const START_AGAIN_MS = 250;

export interface Victim {
  readonly name: string;
  /** How often it is hit, relative to others. */
  readonly weight: number;
  /** Started, and neither killed nor stopped since. */
  readonly isUp: boolean;
  /** SIGKILL; it is started again after this many milliseconds. */
  kill(downMs: number): Promise<void>;
  /** SIGSTOP, and SIGCONT after this many milliseconds. */
  stop(forMs: number): void;
  /** Up again, if need be. */
  untilUp(): Promise<void>;
  /** Ends it for good. */
  end(): Promise<void>;
}

/** What runs: a process of the project, or the server. */
interface Incarnation {
  readonly pid: number;
  readonly exited: Promise<unknown>;
}

/** Starts something again whenever it has ended. */
abstract class Restarted implements Victim {
  readonly name: string;
  abstract readonly weight: number;
  readonly #log: (line: string) => void;
  #running: Incarnation | undefined;
  #starting: Promise<void> | undefined;
  #continuing: NodeJS.Timeout | undefined;
  #isStopped = false;
  #isOver = false;
  #downMs = 0;
  /** One that is stopped would never see that this process has gone. */
  readonly #endAtOnce = (): void => {
    if (this.#running) process.kill(this.#running.pid, 'SIGKILL');
  };

  constructor(name: string, log: (line: string) => void) {
    this.name = name;
    this.#log = log;
    process.once('exit', this.#endAtOnce);
  }

  get isUp(): boolean {
    return this.#running !== undefined && !this.#isStopped;
  }

  protected abstract start(): Promise<Incarnation>;

  async untilUp(): Promise<void> {
    this.#resume();
    while (!this.isUp) await (this.#starting ?? (this.#starting = this.#start()));
  }

  async kill(downMs: number): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#downMs = downMs;
    process.kill(running.pid, 'SIGKILL');
    await running.exited;
  }

  stop(forMs: number): void {
    if (this.#running === undefined) return;
    process.kill(this.#running.pid, 'SIGSTOP');
    this.#isStopped = true;
    this.#continuing = setTimeout(() => this.#resume(), forMs);
  }

  async end(): Promise<void> {
    process.off('exit', this.#endAtOnce);
    this.#isOver = true;
    clearTimeout(this.#continuing);
    await this.#starting?.catch(() => {});
    await this.kill(0);
  }

  #resume(): void {
    clearTimeout(this.#continuing);
    if (this.#isStopped && this.#running) process.kill(this.#running.pid, 'SIGCONT');
    this.#isStopped = false;
  }

  async #start(): Promise<void> {
    while (!this.#isOver) {
      try {
        const running = await this.start();
        this.#running = running;
        void running.exited.then(() => this.#ended());
        break;
      } catch (error) {
        this.#log(`${this.name} did not start: ${String(error)}`);
        await sleep(START_AGAIN_MS);
      }
    }
    this.#starting = undefined;
  }

  #ended(): void {
    this.#running = undefined;
    clearTimeout(this.#continuing);
    this.#isStopped = false;
    if (this.#isOver) return;
    const downMs = this.#downMs;
    this.#downMs = 0;
    this.#starting = sleep(downMs).then(() => this.#start());
  }
}

export interface ProcessOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly log: (line: string) => void;
  /** Called with each message of the process to this one. */
  readonly onMessage?: (message: unknown) => void;
}

/**
 * An ingress or a worker. A worker less often: what it was at stays undone for 10 seconds, which
 * the server waits for it to come back, and events take the way through the backlog all that time.
 */
export class ProcessVictim extends Restarted {
  readonly weight: number;
  readonly #kind: 'worker' | 'ingress';
  readonly #options: ProcessOptions;
  /** Where an ingress listens, or has listened. */
  url = '';

  /** What a workflow that gets no further looks like from outside. */
  readonly #onLine = (line: string): void => {
    if (line.includes(TASK_FAILED)) this.#options.log(`${this.name}: ${line}`);
  };

  constructor(kind: 'worker' | 'ingress', number: number, options: ProcessOptions) {
    super(`${kind} ${number}`, options.log);
    this.#kind = kind;
    this.weight = kind === 'worker' ? 1 : 3;
    this.#options = options;
  }

  protected async start(): Promise<Incarnation> {
    const { child, url }: TestProcess = await startProcess(this.#kind, this.#options.env);
    const { onMessage } = this.#options;
    if (onMessage) child.on('message', onMessage);
    this.url = url;
    if (child.stdout) createInterface({ input: child.stdout }).on('line', this.#onLine);
    const exited = new Promise((resolve) => child.once('exit', resolve));
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('it has ended');
    return { pid: child.pid ?? 0, exited };
  }
}

/** The Temporal server: on the same port, with the same database. */
export class ServerVictim extends Restarted {
  readonly weight = 2;
  readonly #server: RestartableServer;
  #isFirst = true;

  constructor(server: RestartableServer, log: (line: string) => void) {
    super('server', log);
    this.#server = server;
  }

  protected async start(): Promise<Incarnation> {
    if (!this.#isFirst) await this.#server.startAgain();
    this.#isFirst = false;
    const { pid, exited } = this.#server.temporal;
    return { pid, exited };
  }
}
