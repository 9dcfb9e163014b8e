// The worker and the ingress together: started, restarted and stopped as one.

import { setTimeout as sleep } from 'node:timers/promises';

import { HOST } from './ports.ts';
import { ServiceError, startService, type Service } from './service.ts';

/** Time for the ingress to be ready once both processes are, in milliseconds. */
const READY_MS_MAX = 60_000;

const READY_LOOK_MS = 100;

/** What is known of the processes once they are ready. */
export interface Running {
  readonly port: number;
  readonly managementPort: number;
  readonly workflowsPath?: string;
  readonly sources: readonly string[];
  /** Those that take every request. */
  readonly open: readonly string[];
  readonly published: readonly string[];
}

/** Starts and stops the worker and the ingress. */
export class Services {
  readonly #env: NodeJS.ProcessEnv;
  readonly #onCrash: (service: string, how: string) => void;
  #running: { worker: Service; ingress: Service } | undefined;
  #stopping: Promise<void> | undefined;

  /** `onCrash` is called when one of them ends by itself, after it was ready. */
  constructor(env: NodeJS.ProcessEnv, onCrash: (service: string, how: string) => void) {
    this.#env = env;
    this.#onCrash = onCrash;
  }

  /**
   * Resolves once the ingress can do its work.
   *
   * @throws ServiceError if one of them ends before, or if `stop` is called in the meantime; both have ended then
   */
  async start(): Promise<Running> {
    const worker = startService('worker', this.#env);
    const ingress = startService('ingress', this.#env);
    this.#running = { worker, ingress };
    try {
      const [fromWorker, fromIngress] = await Promise.all([worker.ready, ingress.ready]);
      const { port = 0, managementPort = 0, sources = fromWorker.sources ?? [] } = fromIngress;
      await Promise.race([untilReady(port), failAtEnd(worker), failAtEnd(ingress)]);
      this.#watch(worker);
      this.#watch(ingress);
      const { workflowsPath } = fromWorker;
      const { published = [], open = [] } = fromIngress;
      return {
        port,
        managementPort,
        sources,
        open,
        published,
        ...(workflowsPath === undefined ? {} : { workflowsPath }),
      };
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /**
   * Resolves when both have ended, also for whoever asks while they are being stopped already.
   * First the ingress: what it has accepted is still worked on.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop().finally(() => {
      this.#stopping = undefined;
    });
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.ingress.stop();
    await running?.worker.stop();
  }

  #watch(service: Service): void {
    const tell = (how: string): void => {
      const { worker, ingress } = this.#running ?? {};
      if (service === worker || service === ingress) this.#onCrash(service.name, how);
    };
    void service.ended.then(tell);
  }
}

async function failAtEnd({ name, ended }: Service): Promise<never> {
  throw new ServiceError(`the ${name} ended before all was ready: ${await ended}`);
}

async function untilReady(port: number): Promise<void> {
  const until = Date.now() + READY_MS_MAX;
  let missing = '';
  while (Date.now() < until) {
    const response = await fetch(`http://${HOST}:${port}/readyz`).catch(() => undefined);
    if (response?.status === 200) return;
    missing = (await response?.text()) ?? 'no answer';
    await sleep(READY_LOOK_MS);
  }
  throw new ServiceError(`the ingress is not ready within ${READY_MS_MAX} ms: ${missing}`);
}
