// Everything that `npm start` runs, from its start to its end.

import { dirname, resolve } from 'node:path';

import { HOST } from './ports.ts';
import { ServiceError } from './service.ts';
import { Services, type Running } from './services.ts';
import type { Settings } from './settings.ts';
import { useTemporal, type UsedTemporal } from './use-temporal.ts';
import { Watch } from './watch.ts';

/** The source for the line to try: rather one that can be typed as it is. */
const PLAIN_NAME = /^[a-z-]+$/;

/** Temporal, the worker and the ingress. */
export class DevRuntime {
  /** Resolves with the exit code when everything has ended. */
  readonly ended: Promise<number>;
  readonly #settings: Settings;
  #end: (code: number) => void = () => {};
  #temporal: UsedTemporal | undefined;
  #services: Services | undefined;
  #watch: Watch | undefined;
  #stopping: Promise<void> | undefined;
  /** Restarts, one after the other. */
  #restarts: Promise<void> = Promise.resolve();

  constructor(settings: Settings) {
    this.#settings = settings;
    this.ended = new Promise((end) => {
      this.#end = end;
    });
  }

  /** Starts everything, and says where it is. */
  async start(): Promise<void> {
    const temporal = await useTemporal(this.#settings);
    this.#temporal = temporal;
    // Asked to stop meanwhile: `stop` has not seen the server.
    if (this.#stopping !== undefined) {
      await temporal.own?.stop();
      return;
    }
    void temporal.own?.exited.then(({ output }) => this.#crashed('Temporal', output));
    const env = {
      LOG_FORMAT: 'text',
      ...temporal.env,
      // Some shells and compilers set one that means something else.
      HOST,
      PORT: String(this.#settings.ports.PORT),
      TZ: 'UTC',
      NEXTEVENT_EXPLAIN: '1',
      NEXTEVENT_DEPLOY: '1',
    };
    this.#services = new Services(env, (service, how) => this.#crashed(service, how));
    if (this.#settings.reload) await this.#watchForChanges();
    await this.#startServices();
  }

  /** Stops the ingress, the worker and Temporal, in this order; the first call says with which exit code. */
  stop(code: number): Promise<void> {
    this.#stopping ??= this.#stop(code);
    return this.#stopping;
  }

  async #stop(code: number): Promise<void> {
    this.#watch?.close();
    await this.#services?.stop();
    await this.#temporal?.own?.stop();
    this.#end(code);
  }

  #crashed(what: string, how: string): void {
    if (this.#stopping !== undefined) return;
    console.error(`${what} ended (${how}): stopping everything`);
    void this.stop(1);
  }

  async #startServices(): Promise<void> {
    if (this.#services === undefined || this.#temporal === undefined) return;
    // Asked to stop meanwhile: nobody would stop what is started now.
    if (this.#stopping !== undefined) return;
    try {
      const running = await this.#services.start();
      if (this.#stopping !== undefined) return;
      const { workflowsPath } = running;
      // Elsewhere than the project, maybe.
      if (workflowsPath !== undefined) await this.#watch?.add(dirname(workflowsPath));
      console.log(addressesOf(running, this.#temporal));
    } catch (error) {
      if (this.#stopping !== undefined) return;
      if (!(error instanceof ServiceError) || !this.#settings.reload) throw error;
      console.error(`${error.message}; waiting for a change`);
    }
  }

  async #watchForChanges(): Promise<void> {
    this.#watch = new Watch((changed) => {
      this.#restarts = this.#restarts.then(() => this.#restart(changed));
    });
    // Before anything is loaded: what does not load is mended in any file of the project.
    await this.#watch.add(process.cwd());
    const { NEXTEVENT_CONFIG: config } = process.env;
    if (config) await this.#watch.add(dirname(resolve(config)));
  }

  async #restart(changed: readonly string[]): Promise<void> {
    if (this.#stopping !== undefined) return;
    console.log(`changed: ${changed.join(', ')}; restarting worker and ingress`);
    await this.#services?.stop();
    try {
      await this.#startServices();
    } catch (error) {
      this.#crashed('the restart', String(error));
    }
  }
}

function addressesOf(running: Running, { address, namespace, own }: UsedTemporal): string {
  const { port, managementPort, sources, published } = running;
  const webhooks = `http://${HOST}:${port}/webhooks`;
  const publishing = `http://${HOST}:${port}/events/<source>`;
  return [
    '',
    ...(sources.length > 0
      ? [`webhooks     ${webhooks}/<source>, for the sources ${sources.join(', ')}`]
      : []),
    ...(published.length > 0
      ? [`publishing   ${publishing}, for the sources ${published.join(', ')}`]
      : []),
    `management   http://${HOST}:${managementPort}/api/v1`,
    `Temporal     ${address}, namespace ${namespace}`,
    ...(own?.uiAddress === undefined ? [] : [`Temporal UI  ${own.uiAddress}`]),
    '',
    ...whatToTry(running, webhooks),
  ].join('\n');
}

/** A line that works as it is, if there is a source that takes what anybody sends. */
function whatToTry({ sources, open }: Running, webhooks: string): readonly string[] {
  const source = open.find((name) => PLAIN_NAME.test(name)) ?? open[0];
  if (source !== undefined) return ['Try:', '', curlLine(`${webhooks}/${source}`), ''];
  if (sources.length === 0) return [];
  return [
    'None of the sources takes whatever is sent to it.',
    'To sign and send a sample: npx nextevent send <source>',
    '',
  ];
}

function curlLine(url: string): string {
  return `curl -X POST ${url} -d '{"hello":"world"}' -H 'content-type: application/json'`;
}
