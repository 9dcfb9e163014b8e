// The library on workers that users have made, with the SDK's own means: as a plugin, beside
// another plugin, with and without bundles, and by way of options.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import {
  OpenTelemetryPlugin,
  type OpenTelemetryPluginOptions,
} from '@temporalio/interceptors-opentelemetry';
import { SimplePlugin } from '@temporalio/plugin';
import {
  bundleWorkflowCode,
  NativeConnection,
  Worker,
  type BundleOptions,
  type WorkerOptions,
  type WorkerPlugin,
  type WorkflowBundle,
} from '@temporalio/worker';
import {
  bundleSourceWorkflows,
  connectWithoutRetry,
  createSourceWorker,
  NextEventPlugin,
  nextEventBundleOptions,
  nextEventWorkerOptions,
  type NextEventPluginOptions,
} from 'nextevent/worker';
import { webhook, type Event, type WebhookData } from 'nextevent';

import projectConfig from '../nextevent.config.ts';
import {
  progressOf,
  startServer,
  TestApp,
  untilSubscribed,
  type Posted,
  type TestServer,
} from './harness.ts';
import {
  deliver,
  goOn,
  NO_WARM_UP,
  startedBy,
  untilContinued,
  untilDispatched,
  warmUp,
} from './observe.ts';
import { resultOf } from './received.ts';
import { untilShown } from './rounds.ts';
import type { PluggedActivities } from './workflows/plugged.ts';

const PLUGGED = pathOf('workflows/plugged.ts');
const OTHERS = pathOf('workflows/index.ts');
const LIBRARY = pathOf('../workflows/interceptors.ts');

/** For so long workflow code may run without a break, unless a worker is told otherwise. */
const SDK_PATIENCE_MS = 5_000;

const open = webhook({ verify: 'none' });
const config = {
  sources: { placed: open, decisions: open, many: open, alone: open, shared: open },
  triggers: [{ name: 'on-placed', source: 'placed', workflow: 'plugged' }],
};

const activities: PluggedActivities = {
  decide: (decision: Event) => {
    const { body } = decision.data as WebhookData;
    const { approved } = body.json as { approved: boolean };
    return Promise.resolve(approved ? 'approved' : 'rejected');
  },
};

let server: TestServer;
let sourceBundle: WorkflowBundle;
before(async () => {
  [server, sourceBundle] = await Promise.all([startServer(), bundleSourceWorkflows()]);
});
after(() => server.stop());

describe('A worker with the plugin', { timeout: 900_000 }, () => {
  test('runs workflows that a webhook starts and wakes, and activities that read events', async () => {
    const plugin = new NextEventPlugin({ config, connectionOptions: addressOf(server) });
    await onWorker({ workflowsPath: PLUGGED, plugins: [plugin] }, (app) => decided(app, 'A-1'));
  });

  test('lives when a workflow takes longer than the SDK would wait', async () => {
    const plugins = [pluginOf({})];
    await onWorker({ workflowsPath: PLUGGED, plugins }, async (app) => {
      const holding = await app.start('holdUp', 1.2 * SDK_PATIENCE_MS);
      assert.equal(await resultOf(holding), 'done');
    });
  });

  test('takes a bundle that was made with it', async () => {
    const plugin = pluginOf({});
    const workflowBundle = await bundleWorkflowCode(
      quiet({ workflowsPath: PLUGGED, plugins: [plugin] }),
    );
    await onWorker({ workflowBundle, plugins: [plugin] }, (app) => decided(app, 'A-2'));
  });

  test('says at the start that a bundle was made without it', async () => {
    const workflowBundle = await bundleWithout(PLUGGED);
    const directory = await mkdtemp(join(tmpdir(), 'nextevent-bundle-'));
    const codePath = join(directory, 'bundle.js');
    await writeFile(codePath, workflowBundle.code);
    try {
      for (const bundle of [workflowBundle, { codePath }]) {
        await assert.rejects(
          onWorker({ workflowBundle: bundle, plugins: [pluginOf({})] }, () => Promise.resolve()),
          { name: 'ConfigError', message: /^the workflow bundle has no interceptors of nextevent/ },
        );
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  for (const first of ['nextevent', 'the other']) {
    test(`loses no event beside OpenTelemetry, ${first} first, run after run`, async () => {
      const telemetry = new Spans();
      const plugins = inOrder(first, telemetry.plugin);
      await onWorker({ workflowsPath: OTHERS, plugins }, async (app) => {
        const [source, perRun, total] = ['many', 20, 200];
        const relay = await app.start('relay', { source, perRun, total });
        await untilSubscribed(relay, 1);
        const ids = Array.from({ length: total }, (_, index) => `${first} ${index}`);
        for (const id of ids) await deliver(app, source, {}, id);
        assert.deepEqual(await relay.result(), ids);
      });
      assert.ok(telemetry.names.has('RunWorkflow:relay'), [...telemetry.names].join(', '));
    });

    test(`loses none in the task that continues as new beside a plugin that waits, ${first} first`, async () => {
      const workerInterceptors = { workflowModules: [pathOf('workflows/async-interceptors.ts')] };
      const slow = new SimplePlugin({ name: 'slow', workerInterceptors });
      const options = { workflowsPath: OTHERS, plugins: inOrder(first, slow) };
      await untilShown('no event was queued', async (round) => {
        const ids = ['one', 'two', 'three', 'four'].map((id) => `${first} ${round} ${id}`);
        return carriedOver(options, ids);
      });
    });
  }

  test('leaves the source worker to others if it is told to', async () => {
    const plugin = pluginOf({ sourceWorker: false });
    await onWorker({ workflowsPath: OTHERS, plugins: [plugin] }, async (app) => {
      const listener = await app.start('listen', { subscriptions: [['alone', '']], count: 1 });
      await untilSubscribed(listener, 1);
      const { queued } = await app.post('alone', {}, 'alone');
      assert.ok(queued, 'nobody can tell the ingress who has subscribed');
      await withClient(async (client) => {
        const connection = server.nativeConnection;
        const sources = await createSourceWorker({
          connection,
          client,
          workflowBundle: sourceBundle,
        });
        const [received] = await sources.runUntil(listener.result());
        assert.equal(received.id, 'alone');
      });
    });
  });

  test('shares it with other workers, and with their connection', async () => {
    const plugin = pluginOf({});
    const connection = await NativeConnection.connect({ ...addressOf(server), plugins: [plugin] });
    try {
      await onWorker({ connection, workflowsPath: PLUGGED }, async (app) => {
        await onWorker({ connection, workflowsPath: PLUGGED }, subscribed);
        await subscribed(app);
      });
    } finally {
      await connection.close();
    }
  });
});

describe('A worker without the plugin', { timeout: 900_000 }, () => {
  test('fails the first subscribe with an error that says so', async () => {
    const workflowBundle = await bundleWithout(PLUGGED);
    await onWorker({ workflowBundle }, async (app) => {
      const handle = await app.start('subscribeOnly', 'shared');
      await assert.rejects(handle.result(), ({ cause }: Error) => {
        assert.ok(cause instanceof ApplicationFailure);
        assert.equal(cause.type, 'NoInboxError');
        return true;
      });
    });
  });

  for (const isBundled of [false, true]) {
    test(`does the same by its options, ${isBundled ? 'with' : 'without'} a bundle`, async () => {
      await withClient(async (client) => {
        const app = new TestApp(server, { sources: Object.keys(config.sources) });
        const connection = server.nativeConnection;
        const bundleOptions = nextEventBundleOptions({ workflowsPath: PLUGGED });
        const options = {
          connection,
          taskQueue: app.taskQueue,
          ...(isBundled
            ? { workflowBundle: await bundleWorkflowCode(quiet(bundleOptions)) }
            : { workflowsPath: PLUGGED }),
        };
        const worker = await Worker.create(nextEventWorkerOptions(options, { config, client }));
        const sources = await createSourceWorker({
          connection,
          client,
          workflowBundle: sourceBundle,
        });
        await sources.runUntil(worker.runUntil(subscribed(app)));
      });
    });
  }
});

describe('The interceptors of the library come first', () => {
  const plugin = new NextEventPlugin({ config: projectConfig });
  const others = ['first of others', LIBRARY, 'second of others'];
  const expected = [LIBRARY, 'first of others', 'second of others'];

  test('in configureWorker', () => {
    const { interceptors } = plugin.configureWorker({
      taskQueue: 'orders',
      workflowsPath: PLUGGED,
      interceptors: { workflowModules: others },
    });
    assert.deepEqual(interceptors?.workflowModules, expected);
  });

  test('in configureReplayWorker', () => {
    const { interceptors } = plugin.configureReplayWorker({
      workflowsPath: PLUGGED,
      interceptors: { workflowModules: others },
    });
    assert.deepEqual(interceptors?.workflowModules, expected);
  });

  test('in configureBundler', () => {
    const { workflowInterceptorModules } = plugin.configureBundler({
      workflowsPath: PLUGGED,
      workflowInterceptorModules: others,
    });
    assert.deepEqual(workflowInterceptorModules, expected);
  });
});

describe('A recorded history', { timeout: 900_000 }, () => {
  const options = { workflowsPath: pathOf('workflows/replayed.ts') };

  test('replays with the plugin, and beside OpenTelemetry', async () => {
    const history = await historyNamed('continued-2');
    for (const others of [[], [new Spans().plugin]]) {
      const plugins = [...others, pluginOf({})];
      await Worker.runReplayHistory({ ...options, plugins }, history);
    }
  });

  test('replays with a bundle that was made with the plugin', async () => {
    const plugins = [pluginOf({})];
    const workflowBundle = await bundleWorkflowCode(quiet({ ...options, plugins }));
    await Worker.runReplayHistory({ workflowBundle, plugins }, await historyNamed('listener'));
  });

  test('does not replay with a bundle that was made without it', async () => {
    const workflowBundle = await bundleWithout(PLUGGED);
    const history = await historyNamed('listener');
    await assert.rejects(
      Worker.runReplayHistory({ workflowBundle, plugins: [pluginOf({})] }, history),
      { name: 'ConfigError' },
    );
  });
});

test('The plugin refuses a configuration that is wrong', () => {
  const wrong = { sources: { 'No Name': open } };
  assert.throws(() => new NextEventPlugin({ config: wrong }), { name: 'ConfigError' });
});

function pathOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

function addressOf({ address }: TestServer): { readonly address: string } {
  return { address };
}

function pluginOf(options: Partial<NextEventPluginOptions>): NextEventPlugin {
  const connectionOptions = { address: server?.address };
  return new NextEventPlugin({ config, connectionOptions, sourceBundle, ...options });
}

/** Runs a user's worker, and an ingress beside it, for as long as a test needs them. */
function onWorker(
  options: Omit<WorkerOptions, 'taskQueue'>,
  run: (app: TestApp) => Promise<void>,
): Promise<void> {
  return onIngress((app) => beside(app, options, () => run(app)));
}

async function onIngress(run: (app: TestApp) => Promise<void>): Promise<void> {
  const app = new TestApp(server, {
    sources: Object.keys(config.sources),
    triggers: config.triggers.map((trigger) => ({ ...trigger, filter: '' })),
  });
  await app.startIngress();
  try {
    await run(app);
  } finally {
    await app.stop();
  }
}

async function beside(
  { taskQueue }: TestApp,
  options: Omit<WorkerOptions, 'taskQueue'>,
  run: () => Promise<void>,
): Promise<void> {
  const connection = server.nativeConnection;
  const worker = await Worker.create({ connection, taskQueue, activities, ...options });
  await worker.runUntil(run);
}

/**
 * Posts events to a workflow that continues as new, all of which wait for it in one task, and which
 * it must receive.
 *
 * @returns `false` if the machine was too busy for that, and one was queued
 */
async function carriedOver(
  options: Omit<WorkerOptions, 'taskQueue'>,
  ids: readonly string[],
): Promise<boolean> {
  const posted: Posted[] = [];
  await onIngress(async (app) => {
    const handle = await app.start('carry', { source: 'many', filters: [NO_WARM_UP] });
    await beside(app, options, async () => {
      await untilSubscribed(handle, 1);
      await warmUp(app, 'many');
    });
    for (const [index, id] of ids.entries()) {
      if (index === 2) await goOn(handle);
      posted.push(await app.post('many', {}, id));
    }
    await beside(app, options, async () => {
      await untilDispatched(app, 'many');
      await untilContinued(handle);
      await goOn(handle);
      await handle.result();
      const { received } = await progressOf(handle);
      assert.deepEqual(
        received.map(({ id }) => id),
        ids,
      );
    });
  });
  return posted.every(({ queued, signalled }) => !queued && signalled === 1);
}

/** The plugin and that of somebody else. */
function inOrder(first: string, other: WorkerPlugin): WorkerPlugin[] {
  return first === 'nextevent' ? [pluginOf({}), other] : [other, pluginOf({})];
}

/** A webhook starts a workflow, and another one wakes it. */
async function decided(app: TestApp, order: string): Promise<void> {
  const placed = await app.post('placed', { order }, `placed ${order}`);
  const workflow = startedBy(app, 'on-placed', placed);
  await app.waitForSubscriptions(workflow, { source: 'decisions' });
  await app.post('decisions', { order: 'another', approved: false });
  await app.post('decisions', { order, approved: true });
  assert.equal(await workflow.result(), 'approved');
}

async function subscribed(app: TestApp): Promise<void> {
  const handle = await app.start('subscribeOnly', 'shared');
  assert.match(await handle.result(), /^[0-9a-f-]{36}$/);
}

async function withClient(run: (client: Client) => Promise<void>): Promise<void> {
  const connection = await connectWithoutRetry(addressOf(server));
  try {
    await run(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

/** A bundle as it is made by those who do not know of the plugin. */
function bundleWithout(workflowsPath: string): Promise<WorkflowBundle> {
  return bundleWorkflowCode(
    quiet({
      workflowsPath,
      // In a clone the package is its own source, which only bundles made here have to know.
      webpackConfigHook: (webpack) => ({
        ...webpack,
        resolve: { ...webpack.resolve, conditionNames: ['source', '...'] },
      }),
    }),
  );
}

/** A bundler that tells nothing of its doings. */
function quiet(options: BundleOptions): BundleOptions {
  const logger = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };
  return { ...options, logger };
}

async function historyNamed(name: string): Promise<unknown> {
  return JSON.parse(await readFile(pathOf(`histories/${name}.json`), 'utf8'));
}

/** OpenTelemetry's plugin, and the names of the spans that it has measured. */
class Spans {
  readonly names = new Set<string>();
  readonly plugin = new OpenTelemetryPlugin({
    resource: { attributes: {} } as unknown as OpenTelemetryPluginOptions['resource'],
    spanProcessor: {
      onStart: () => {},
      onEnd: ({ name }) => void this.names.add(name),
      shutdown: () => Promise.resolve(),
      forceFlush: () => Promise.resolve(),
    },
  });
}
