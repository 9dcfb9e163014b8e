// What the tests of this project run on beside `nextevent/testing`: workflows that tell how far
// they are, senders that try again, and processes that can be killed. Every file has a server of
// its own, every test its own names.

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { WorkflowHandle } from '@temporalio/client';
import type { WorkerOptions } from '@temporalio/worker';

import type { Config } from '../config/config.ts';
import { resolveOutbound, type OutboundOptions } from '../config/outbound.ts';
import type { TemporalServer } from '../dev/temporal.ts';
import type { Trigger } from '../events/trigger.ts';
import { published } from '../ingress/sources/published.ts';
import { webhook } from '../ingress/sources/webhook.ts';
import {
  NotAcceptedError,
  quietRuntime,
  TestApp as UserTestApp,
  until as userUntil,
  type Answer,
  type TestServer as UserTestServer,
  type WaitForPendingDeliveriesOptions,
} from '../testing/index.ts';
import { deliver } from '../testing/ingress.ts';
import { startOwnServer } from '../testing/server.ts';
import { progressQuery, type Progress } from './workflows/listening.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const WORKFLOWS_PATH = fileURLToPath(new URL('workflows/index.ts', import.meta.url));

/** How long `until` waits for a condition: long, because machines are slow when they are busy. */
export const UNTIL_MS_MAX = 240_000;

quietRuntime();

/** A Temporal server of the test's own, which can be made to end. */
export interface TestServer extends UserTestServer {
  readonly temporal: TemporalServer;
}

/** With `NEXTEVENT_TEST_DEFAULTS=1`, all tests run on Temporal's plain defaults: twice as long. */
export const TUNED = process.env.NEXTEVENT_TEST_DEFAULTS !== '1';

/** A server on the settings of the dev runtime, or on its plain defaults. */
export function startServer(
  options: Parameters<typeof startOwnServer>[0] = {},
): Promise<TestServer> {
  return startOwnServer({ tuned: TUNED, ...options });
}

export interface AppOptions {
  /** Names of generic webhook sources. */
  readonly sources: readonly string[];
  /** Names of sources of published events. */
  readonly published?: readonly string[];
  readonly triggers?: ReadonlyArray<Omit<Trigger, 'taskQueue'>>;
  readonly activities?: Config['activities'];
  /** The module with the workflows; those of `test/workflows` if none is given. */
  readonly workflowsPath?: string;
  readonly otherInterceptorModules?: readonly string[];
  readonly workerOptions?: Partial<WorkerOptions>;
  /** With it, listeners run. */
  readonly outbound?: OutboundOptions;
}

/** A project that runs: its settings, and a worker and an ingress that come and go. */
export class TestApp extends UserTestApp {
  constructor(server: TestServer, options: AppOptions) {
    super(server, toConfig(options), toWorkerOptions(options));
  }

  /** Posts JSON to a source through the first ingress, and again while it is told to, as senders do. */
  post(source: string, body: unknown, id: string = randomUUID()): Promise<Posted> {
    return until(`${source} has answered`, async () => {
      const posted = await post(this.ingress.url, { source, body, id });
      return posted.status !== 503 && posted;
    });
  }

  override waitForPendingDeliveries(
    listener?: string,
    options: WaitForPendingDeliveriesOptions = {},
  ): Promise<void> {
    return super.waitForPendingDeliveries(listener, { timeoutMs: UNTIL_MS_MAX, ...options });
  }
}

function toConfig(options: AppOptions): Config {
  const taskQueue = `test-${randomUUID()}`;
  const sources = new Map([
    ...options.sources.map((name) => [name, webhook({ verify: 'none' })] as const),
    ...(options.published ?? []).map((name) => [name, published()] as const),
  ]);
  return {
    workflowsPath: options.workflowsPath ?? WORKFLOWS_PATH,
    activities: options.activities ?? {},
    taskQueue,
    sources,
    triggers: (options.triggers ?? []).map((trigger) => ({ ...trigger, taskQueue })),
    ...(options.outbound && { outbound: resolveOutbound(options.outbound, sources) }),
  };
}

function toWorkerOptions(options: AppOptions): Partial<WorkerOptions> {
  const { workerOptions, otherInterceptorModules = [] } = options;
  const workflowModules = [...otherInterceptorModules];
  return { ...workerOptions, interceptors: { ...workerOptions?.interceptors, workflowModules } };
}

/** A worker and an ingress for a project. */
export async function startApp(server: TestServer, options: AppOptions): Promise<TestApp> {
  const app = new TestApp(server, options);
  await app.startWorker();
  await app.startIngress();
  return app;
}

/** Without a cache, a workflow does not wait ten seconds for the worker that ran it last. */
export function startUncached(server: TestServer, options: AppOptions): Promise<TestApp> {
  return startApp(server, { ...options, workerOptions: { maxCachedWorkflows: 0 } });
}

/** What an ingress answered. */
export type Posted = Answer;

export interface Post {
  readonly source: string;
  /** Sent as JSON. */
  readonly body: unknown;
  readonly id?: string | undefined;
}

/** Posts JSON to a source, whatever the answer. */
export async function post(url: string, { source, body, id }: Post): Promise<Posted> {
  const headers = { 'content-type': 'application/json', ...(id && { 'idempotency-key': id }) };
  try {
    return await deliver(url, { source, body: JSON.stringify(body), headers });
  } catch (error) {
    if (!(error instanceof NotAcceptedError)) throw error;
    return { status: error.status, id: '', started: [], signalled: 0, queued: false };
  }
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

/** Sends a request, and again while it is told to, as senders of webhooks do. */
export function fetchAgain(url: string, request: RequestInit): Promise<Response> {
  return until(`${url} is answered`, async () => {
    const response = await fetch(url, request);
    return response.status !== 503 && response;
  });
}

/** Waits for a condition: for the first result that is not false, null or undefined. */
export function until<T>(
  what: string,
  look: () => Promise<T | false | null | undefined> | T | false | null | undefined,
  forMs = UNTIL_MS_MAX,
): Promise<T> {
  return userUntil(what, look, { timeoutMs: forMs });
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

/** A process of the project: its worker, or its ingress. */
export interface TestProcess {
  readonly child: ChildProcess;
  /** Of an ingress. */
  readonly url: string;
  readonly managementPort: number | undefined;
  /** What it has printed so far. */
  output(): string;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
}

/** Starts `worker/main.ts` or `ingress/main.ts`, or what stands for it; waits until it is ready. */
export async function startProcess(
  kind: 'worker' | 'ingress',
  env: Readonly<Record<string, string>>,
  {
    module = join(ROOT, kind, 'main.ts'),
    args = [],
  }: { readonly module?: string; readonly args?: readonly string[] } = {},
): Promise<TestProcess> {
  const child = spawn(
    process.execPath,
    [...args, '--conditions=source', '--import', 'tsx', module],
    {
      env: { ...process.env, PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      cwd: ROOT,
    },
  );
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [message] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`${kind} ended with ${code} before it was ready`);
    }),
  ])) as [{ type: string; port?: number; managementPort?: number }];
  assert.equal(message.type, 'ready');
  return {
    child,
    url: `http://127.0.0.1:${message.port}`,
    managementPort: message.managementPort,
    output: () => output,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
