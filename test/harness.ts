// What tests run on: a real Temporal server, workers, and ingresses that answer HTTP.
// Every file has a server of its own, every test its own names.

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import {
  DefaultLogger,
  NativeConnection,
  Runtime,
  type WorkerOptions,
  type WorkflowBundle,
} from '@temporalio/worker';

import type { Config } from '../config/config.ts';
import { startTemporal, type TemporalServer } from '../dev/temporal.ts';
import { createDispatcher, type Dispatcher } from '../dispatch/dispatcher.ts';
import type { Inspection } from '../dispatch/inspection.ts';
import type { Trigger } from '../events/trigger.ts';
import { createApp, createServer } from '../ingress/app.ts';
import { webhook } from '../ingress/sources/webhook.ts';
import { findTemporal } from '../scripts/find-temporal.mjs';
import { bundleSourceWorkflows, bundleWorkflows } from '../worker/bundle.ts';
import { createWorker } from '../worker/worker.ts';
import { progressQuery, type Progress } from './workflows/listening.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const WORKFLOWS_PATH = fileURLToPath(new URL('workflows/index.ts', import.meta.url));

/** How long `until` waits for a condition: long, because machines are slow when they are busy. */
const UNTIL_MS_MAX = 240_000;

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } },
});

/** A Temporal server with a database that is gone after the test. */
export interface TestServer {
  readonly address: string;
  readonly client: Client;
  readonly native: NativeConnection;
  readonly temporal: TemporalServer;
  stop(): Promise<void>;
}

export interface TestServerOptions {
  /** Plain defaults of the server instead of the settings of the dev runtime. */
  readonly tuned?: boolean;
  readonly searchAttributes?: Readonly<Record<string, string>>;
  /** Further arguments of the server. */
  readonly arguments?: readonly string[];
}

export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const directory = await mkdtemp(join(tmpdir(), 'nextevent-test-'));
  const executable = await findTemporal();
  const dbFilename = join(directory, 'temporal.db');
  const temporal = await startTemporal({ executable, dbFilename, ui: false, ...options });
  const { address } = temporal;
  const connection = await Connection.connect({ address });
  const native = await NativeConnection.connect({ address });
  return {
    address,
    temporal,
    client: new Client({ connection }),
    native,
    async stop() {
      await native.close();
      await connection.close();
      await temporal.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface AppOptions {
  /** Names of generic webhook sources. */
  readonly sources: readonly string[];
  readonly triggers?: ReadonlyArray<Omit<Trigger, 'taskQueue'>>;
  readonly activities?: Config['activities'];
  /** The module with the workflows; those of `test/workflows` if none is given. */
  readonly workflowsPath?: string;
  readonly otherInterceptorModules?: readonly string[];
  readonly workerOptions?: Partial<WorkerOptions>;
}

/** A project that runs: its settings, and a worker and an ingress that come and go. */
export class TestApp {
  readonly server: TestServer;
  readonly taskQueue = `test-${randomUUID()}`;
  readonly config: Config;
  readonly #options: AppOptions;
  #stopWorker: (() => Promise<void>) | undefined;
  readonly #ingresses: TestIngress[] = [];

  constructor(server: TestServer, options: AppOptions) {
    this.server = server;
    this.#options = options;
    const { taskQueue } = this;
    this.config = {
      workflowsPath: options.workflowsPath ?? WORKFLOWS_PATH,
      activities: options.activities ?? {},
      taskQueue,
      sources: new Map(options.sources.map((name) => [name, webhook({ verify: 'none' })])),
      triggers: (options.triggers ?? []).map((trigger) => ({ ...trigger, taskQueue })),
    };
  }

  get client(): Client {
    return this.server.client;
  }

  /** The first ingress. */
  get ingress(): TestIngress {
    const [first] = this.#ingresses;
    assert.ok(first, 'no ingress was started');
    return first;
  }

  async startWorker(): Promise<void> {
    const { address, native } = this.server;
    const worker = await createWorker({
      config: this.config,
      connection: native,
      clientConnectionOptions: { address },
      namespace: 'default',
      bundles: {
        workflows: await bundleOf(this.config.workflowsPath, this.#options.otherInterceptorModules),
        sources: await sourceBundle(),
      },
      ...(this.#options.workerOptions && { workerOptions: this.#options.workerOptions }),
    });
    const running = worker.run();
    this.#stopWorker = async () => {
      worker.shutdown();
      await running;
    };
  }

  async stopWorker(): Promise<void> {
    await this.#stopWorker?.();
    this.#stopWorker = undefined;
  }

  async startIngress(): Promise<TestIngress> {
    const ingress = await startIngress(this.config, this.server.address);
    this.#ingresses.push(ingress);
    return ingress;
  }

  /** Posts JSON to a source through the first ingress. */
  post(source: string, body: unknown, id?: string): Promise<Posted> {
    return this.ingress.post(source, body, id);
  }

  /** Starts a workflow of the project under an id of its own. */
  start(workflow: string, ...args: unknown[]): Promise<WorkflowHandle> {
    const { taskQueue } = this;
    const workflowId = `${workflow}-${randomUUID()}`;
    return this.client.workflow.start(workflow, { workflowId, taskQueue, args });
  }

  async stop(): Promise<void> {
    for (const ingress of this.#ingresses) await ingress.stop();
    await this.stopWorker();
  }
}

/** A worker and an ingress for a project. */
export async function startApp(server: TestServer, options: AppOptions): Promise<TestApp> {
  const app = new TestApp(server, options);
  await app.startWorker();
  await app.startIngress();
  return app;
}

/** What an ingress answered. */
export interface Posted {
  readonly status: number;
  readonly id: string;
  readonly started: readonly string[];
  readonly signalled: number;
  readonly queued: boolean;
}

export interface TestIngress {
  readonly url: string;
  readonly dispatcher: Dispatcher;
  readonly inspection: Inspection;
  /** One line per event, as the dev runtime prints it. */
  readonly lines: readonly string[];
  post(source: string, body: unknown, id?: string): Promise<Posted>;
  stop(): Promise<void>;
}

async function startIngress(config: Config, address: string): Promise<TestIngress> {
  const dispatcher = await createDispatcher({
    connectionOptions: { address },
    namespace: 'default',
    sources: [...config.sources.keys()],
    triggers: config.triggers,
  });
  const lines: string[] = [];
  const app = createApp({
    sources: config.sources,
    dispatcher,
    ready: () => Promise.resolve([]),
    log: (line) => lines.push(line),
  });
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    dispatcher,
    inspection: dispatcher.inspection,
    lines,
    post: (source, body, id) => post(url, { source, body, id }),
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      await dispatcher.close();
    },
  };
}

export interface Post {
  readonly source: string;
  /** Sent as JSON. */
  readonly body: unknown;
  readonly id?: string | undefined;
}

/** Posts JSON to a source, whatever the answer. */
export async function post(url: string, { source, body, id }: Post): Promise<Posted> {
  const response = await fetch(`${url}/webhooks/${source}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(id && { 'idempotency-key': id }) },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as Partial<Posted>;
  return {
    status: response.status,
    id: answer.id ?? '',
    started: answer.started ?? [],
    signalled: answer.signalled ?? 0,
    queued: answer.queued ?? false,
  };
}

/** Posts until it is acknowledged, as a sender does that tries again with the same id. */
export async function postUntilAccepted(urls: readonly string[], post_: Post): Promise<Posted> {
  const { value } = await until('the event is accepted', async () => {
    for (const url of urls) {
      const posted = await post(url, post_).catch(() => undefined);
      if (posted?.status === 202) return { value: posted };
    }
    return undefined;
  });
  return value;
}

/** Waits for a condition: for the first result that is not false, null or undefined. */
export async function until<T>(
  what: string,
  look: () => Promise<T | false | null | undefined> | T | false | null | undefined,
  forMs = UNTIL_MS_MAX,
): Promise<T> {
  const deadline = Date.now() + forMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`waited ${forMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What a workflow of `test/workflows` has done so far. */
export function progressOf(handle: WorkflowHandle): Promise<Progress> {
  return handle.query(progressQuery);
}

/** Waits until a workflow of `test/workflows` holds so many subscriptions. */
export function untilSubscribed(handle: WorkflowHandle, count: number): Promise<Progress> {
  return until(`${handle.workflowId} holds ${count} subscriptions`, async () => {
    const progress = await progressOf(handle).catch(() => undefined);
    return progress && progress.subscribed.length >= count && progress;
  });
}

/** Waits until a workflow of `test/workflows` has received so many events. */
export function untilReceived(handle: WorkflowHandle, count: number): Promise<Progress> {
  return until(`${handle.workflowId} has received ${count} events`, async () => {
    const progress = await progressOf(handle).catch(() => undefined);
    return progress && progress.received.length >= count && progress;
  });
}

const bundles = new Map<string, Promise<WorkflowBundle>>();

function bundleOf(path: string, others: readonly string[] = []): Promise<WorkflowBundle> {
  const key = [path, ...others].join('\n');
  const bundle = bundles.get(key) ?? bundleWorkflows(path, others);
  bundles.set(key, bundle);
  return bundle;
}

function sourceBundle(): Promise<WorkflowBundle> {
  const bundle = bundles.get('') ?? bundleSourceWorkflows();
  bundles.set('', bundle);
  return bundle;
}

/** A process of the project: its worker, or its ingress. */
export interface TestProcess {
  readonly child: ChildProcess;
  /** Of an ingress. */
  readonly url: string;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
}

/** Starts `worker/main.ts` or `ingress/main.ts`, and waits until it is ready. */
export async function startProcess(
  kind: 'worker' | 'ingress',
  env: Readonly<Record<string, string>>,
): Promise<TestProcess> {
  const child = spawn(
    process.execPath,
    ['--conditions=source', '--import', 'tsx', join(ROOT, kind, 'main.ts')],
    {
      env: { ...process.env, PORT: '0', ...env },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      cwd: ROOT,
    },
  );
  const [message] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`${kind} ended with ${code} before it was ready`);
    }),
  ])) as [{ type: string; port?: number }];
  assert.equal(message.type, 'ready');
  return {
    child,
    url: `http://127.0.0.1:${message.port}`,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
