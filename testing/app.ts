// A project that runs in the process of the test: its worker, and an ingress on a free port.

import { randomUUID } from 'node:crypto';

import type {
  Client,
  WorkflowHandle,
  WorkflowHandleWithFirstExecutionRunId,
} from '@temporalio/client';
import type { WorkerOptions } from '@temporalio/worker';

import {
  resolveConfig,
  type Config,
  type ConfigOptions,
  type TriggerOptions,
} from '../config/config.ts';
import { ConfigError } from '../config/errors.ts';
import { loadConfig } from '../config/load.ts';
import { resolveSource } from '../config/subscribable.ts';
import { DeploymentClient } from '../dispatch/deployment-client.ts';
import { createWorker } from '../worker/worker.ts';
import { bundlesFor } from './bundles.ts';
import { waitForPendingDeliveries, type WaitForPendingDeliveriesOptions } from './deliveries.ts';
import {
  deliver,
  publish,
  startIngress,
  type Answer,
  type EventToPublish,
  type TestIngress,
} from './ingress.ts';
import { MockReceivers, type MockDeliveryOptions, type MockedReceiver } from './mock-receivers.ts';
import type { TestServer } from './server.ts';
import {
  waitForSubscriptions,
  type HeldSubscription,
  type WaitForSubscriptionsOptions,
} from './subscriptions.ts';

/** The project that is tested: its configuration file, or what would be in it, or both. */
export interface TestAppOptions extends Partial<Omit<ConfigOptions, 'triggers' | 'taskQueue'>> {
  /** The configuration file. What else is given here takes the place of what it says. */
  readonly config?: string;
  /** What events start. */
  readonly triggers?: ReadonlyArray<
    Omit<TriggerOptions, 'workflow'> & { readonly workflow: string }
  >;
  /**
   * Settings of the worker that runs the workflows.
   *
   * @default those of the SDK
   */
  readonly workerOptions?: Partial<WorkerOptions>;
}

/** What is sent along with a body. */
export interface SendOptions {
  /**
   * The id of the event, in the header `Idempotency-Key`.
   *
   * @default the source finds one, or makes one up
   */
  readonly id?: string | undefined;
  /** More headers, by lower-case name. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Starts the worker and an ingress of a project. It has a task queue of its own, but sources are
 * the server's: two projects on one server must not have sources of the same name.
 *
 * @throws ConfigError if the project is not as it must be
 *
 * @example
 * const app = await startTestApp(server, {
 *   workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
 *   sources: { orders: webhook({ verify: 'none' }), approvals: webhook({ verify: 'none' }) },
 *   triggers: [{ name: 'on-order', source: 'orders', workflow: 'approval' }],
 * });
 * const { started } = await app.send('orders', { id: 'A-17' });
 */
export async function startTestApp(server: TestServer, options: TestAppOptions): Promise<TestApp> {
  const { config: file, workerOptions = {}, ...given } = options;
  const app = new TestApp(server, await resolve(file, given), workerOptions);
  try {
    await app.startWorker();
    await app.startIngress();
    await app.deploy();
  } catch (error) {
    await app.stop();
    throw error;
  }
  return app;
}

/** A project that runs. `startTestApp` makes one. */
export class TestApp implements AsyncDisposable {
  readonly server: TestServer;
  readonly config: Config;
  readonly #workerOptions: Partial<WorkerOptions>;
  readonly #receivers = new MockReceivers();
  #stopWorker: (() => Promise<void>) | undefined;
  readonly #ingresses: TestIngress[] = [];

  constructor(server: TestServer, config: Config, workerOptions: Partial<WorkerOptions>) {
    this.server = server;
    this.config = config;
    this.#workerOptions = workerOptions;
  }

  get client(): Client {
    return this.server.client;
  }

  /** The task queue of its workflows. */
  get taskQueue(): string {
    return this.config.taskQueue;
  }

  /** The first ingress that was started. */
  get ingress(): TestIngress {
    const [first] = this.#ingresses;
    if (first === undefined) throw new ConfigError('no ingress was started');
    return first;
  }

  /**
   * Sends a request to a source through the ingress, as its sender would: signed, unless the body
   * is bytes. Text and bytes are sent as they are, everything else as JSON. Once it returns, the event is safe: workflows that have
   * subscribed have it, unless the answer says `queued`: then they get it soon.
   *
   * @throws NotAcceptedError if it is not accepted
   * @throws SigningError if only the provider has the key to sign with
   *
   * @example
   * await app.send('approvals', { order: 'A-17', approved: true }, { id: 'decision-1' });
   */
  async send(source: string, body: unknown, { id, headers }: SendOptions = {}): Promise<Answer> {
    const all = { ...(id !== undefined && { 'idempotency-key': id }), ...headers };
    const kind = this.config.sources.get(source);
    if (kind === undefined || body instanceof Uint8Array) {
      return deliver(this.ingress.url, { source, body, headers: all });
    }
    const isText = typeof body === 'string';
    const draft = {
      method: 'POST',
      suffix: '',
      headers: { ...(!isText && { 'content-type': 'application/json' }), ...all },
      body: isText ? body : JSON.stringify(body),
    };
    const signed = kind.sign(draft, { id: id ?? randomUUID(), at: new Date() });
    return deliver(this.ingress.url, { source, ...signed });
  }

  /**
   * Publishes an event to a source of published events, as an application would, with an API key for
   * it. Once it returns, the event is safe.
   *
   * @returns the id that the event has in workflows
   * @throws NotAcceptedError if it is not accepted
   *
   * @example
   * await app.publish('orders', { type: 'order.paid', data: { order: 'A-17' } });
   */
  async publish(source: string, event: EventToPublish): Promise<string> {
    return (await publish(this.ingress, source, event)).id;
  }

  /** Starts a workflow of the project, under an id of its own. */
  start(workflow: string, ...args: unknown[]): Promise<WorkflowHandleWithFirstExecutionRunId> {
    const workflowId = `${workflow}-${randomUUID()}`;
    return this.client.workflow.start(workflow, { workflowId, taskQueue: this.taskQueue, args });
  }

  /**
   * Waits until subscriptions of a workflow are durable, and tells which they are. The workflow
   * needs no code for it: its sources are asked.
   *
   * @throws WaitError if the workflow has ended, or once the time is over
   *
   * @example
   * await app.waitForSubscriptions('on-order/A-17', { source: 'approvals' });
   */
  async waitForSubscriptions(
    workflow: WorkflowHandle | string,
    { count = 1, source, timeoutMs }: WaitForSubscriptionsOptions = {},
  ): Promise<readonly HeldSubscription[]> {
    const { config } = this;
    const sources =
      source === undefined ? [...config.sources.keys()] : [resolveSource(config, source)];
    return waitForSubscriptions(this.client, workflow, { sources, count, timeoutMs });
  }

  /**
   * Answers what listeners deliver to a url, in place of its receiver: nothing is sent over a
   * network. The last one for a url counts. Secrets, signatures and records are as they always are.
   *
   * @returns what it has received, from now on
   *
   * @example
   * const crm = app.mockDeliveryTo('https://crm.example/hooks', { method: 'POST', status: 200 });
   * await app.send('orders', { id: 'A-17' });
   * await app.waitForPendingDeliveries();
   * assert.equal(crm.requests.length, 1);
   */
  mockDeliveryTo(url: string, options: MockDeliveryOptions): MockedReceiver {
    return this.#receivers.add(url, options);
  }

  /**
   * Waits until everything that was sent to the ingress before has been delivered, or has failed for
   * good: listeners have nothing pending any more. One whose receiver fails tries again for as long as
   * its `retryMs` say: give short ones.
   *
   * @throws WaitError once the time is over
   *
   * @example
   * await app.waitForPendingDeliveries('crm');
   */
  async waitForPendingDeliveries(
    listener?: string,
    options: WaitForPendingDeliveriesOptions = {},
  ): Promise<void> {
    const { client, taskQueue } = this;
    const { inspection } = this.ingress;
    const sources = [...this.config.sources.keys()];
    await waitForPendingDeliveries(
      { client, taskQueue, inspection, sources },
      { listener, ...options },
    );
  }

  /** Deploys the listeners of the configuration, if it has `outbound`. `startTestApp` does. */
  async deploy(): Promise<void> {
    const { outbound } = this.config;
    if (outbound === undefined) return;
    await new DeploymentClient(this.client, this.taskQueue).deploy(outbound.listeners);
  }

  /** Starts the worker, after `stopWorker`. */
  async startWorker(): Promise<void> {
    if (this.#stopWorker) return;
    const { connectionOptions, namespace, nativeConnection: connection } = this.server;
    const worker = await createWorker({
      config: this.config,
      connection,
      clientConnectionOptions: connectionOptions,
      namespace,
      bundles: await bundlesFor(this.config, this.#workerOptions),
      workerOptions: this.#workerOptions,
      mocks: this.#receivers,
    });
    const running = worker.run();
    // It is told to whoever stops the worker.
    running.catch(() => {});
    this.#stopWorker = async () => {
      worker.shutdown();
      await running;
    };
  }

  /** Stops the worker: events are accepted all the same, and workflows go on when it is back. */
  async stopWorker(): Promise<void> {
    const stop = this.#stopWorker;
    this.#stopWorker = undefined;
    await stop?.();
  }

  /** Starts an ingress: another one, unless it is the first. */
  async startIngress(): Promise<TestIngress> {
    const ingress = await startIngress(this.server, this.config);
    this.#ingresses.push(ingress);
    return ingress;
  }

  /** Stops worker and ingresses. Workflows that run stay as they are. */
  async stop(): Promise<void> {
    for (const ingress of this.#ingresses.splice(0)) await ingress.stop();
    await this.stopWorker();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

type GivenOptions = Omit<TestAppOptions, 'config' | 'workerOptions'>;

/** On a task queue of its own, so that no other worker on the server takes its workflows. */
async function resolve(file: string | undefined, given: GivenOptions): Promise<Config> {
  const loaded = file === undefined ? undefined : await loadConfig(file);
  const taskQueue = `test-${randomUUID()}`;
  const sources = given.sources ?? (loaded && Object.fromEntries(loaded.sources));
  const triggers =
    given.triggers ??
    loaded?.triggers.map(({ respondMsMax, ...trigger }) => ({
      ...trigger,
      // A trigger for the worker of another project stays that.
      taskQueue: trigger.taskQueue === loaded.taskQueue ? taskQueue : trigger.taskQueue,
      // As it is written in a configuration.
      ...(respondMsMax !== undefined && { respond: { timeoutMs: respondMsMax } }),
    }));
  const { outbound } = given;
  const config = resolveConfig(
    {
      workflowsPath: given.workflowsPath ?? loaded?.workflowsPath,
      activities: { ...loaded?.activities, ...given.activities },
      taskQueue,
      sources,
      ...(triggers && { triggers }),
      rateLimits: given.rateLimits ?? loaded?.rateLimits,
      ...(outbound && { outbound }),
    },
    process.cwd(),
  );
  // That of the file is complete and checked already.
  return outbound || !loaded?.outbound ? config : { ...config, outbound: loaded.outbound };
}
