// Static listeners: what a deployment makes of a configuration, and that nothing else does.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import type { ListenerOptions } from '../config/outbound.ts';
import { createToDefinition } from '../config/to-definition.ts';
import { DeploymentClient } from '../dispatch/deployment-client.ts';
import type { ListenerDefinition } from '../events/listener.ts';
import type { DeploymentInput } from '../workflows/deployment-messages.ts';
import {
  DEPLOYMENT_WORKFLOW_TYPE,
  deploymentWorkflowId,
  listenerTaskQueue,
  listenerWorkflowId,
} from '../workflows/listener-messages.ts';
import { startProcess, startServer, until, type TestServer } from './harness.ts';
import { startListening, type Body, type ListeningApp } from './listening.ts';
import { untilWithdrawn } from './listeners.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CLI = join(ROOT, 'cli/main.ts');

const run = promisify(execFile);

/** So many attempts that one is left for whoever is deployed next. */
const RETRY_MS: number[] = Array(100).fill(500);

let server: TestServer;
let listening: ListeningApp;
let deployment: DeploymentClient;

before(async () => {
  server = await startServer();
  listening = await startListening(server, { sources: ['static'], outbound: {} });
  deployment = new DeploymentClient(listening.app.client, listening.app.taskQueue);
});

after(async () => {
  await listening?.stop();
  await server.stop();
});

describe('a deployment (N-44)', () => {
  test('creates what is new, and the same again changes nothing', async () => {
    const first = await deployment.deploy(definitions({ name: 'n-a' }, { name: 'n-b' }));
    assert.deepEqual(first.created, ['n-a', 'n-b']);
    assert.deepEqual([first.deactivated, first.unchanged], [[], []]);
    // In whatever order it is written.
    const again = await deployment.deploy(definitions({ name: 'n-b' }, { name: 'n-a' }));
    assert.deepEqual(
      [again.generation, again.created, again.deactivated, again.unchanged],
      [first.generation, [], [], ['n-b', 'n-a']],
    );
    assert.equal((await shown('n-a')).isStatic, true);
  });

  test('makes another listener of what has changed, and deactivates the one before', async () => {
    const first = await deployment.deploy(definitions({ name: 'n-c' }));
    const changed = await deployment.deploy(
      definitions({ name: 'n-c', url: 'https://moved.example/' }),
    );
    assert.equal(changed.generation, first.generation + 1);
    assert.deepEqual([changed.created, changed.deactivated], [['n-c-2'], ['n-c']]);
    assert.equal((await shown('n-c')).status, 'inactive');
    assert.match(String((await shown('n-c')).statusMessage), /another listener of this name/);
    assert.equal((await shown('n-c-2')).status, 'active');
  });

  test('deactivates what is taken out; should it come back, it is a new one', async () => {
    await deployment.deploy(definitions({ name: 'n-d' }));
    const out = await deployment.deploy([]);
    assert.deepEqual(out.deactivated, ['n-d']);
    assert.match(String((await shown('n-d')).statusMessage), /does not have it any more/);
    const back = await deployment.deploy(definitions({ name: 'n-d' }));
    assert.deepEqual(back.created, ['n-d-2']);
    assert.equal((await shown('n-d')).status, 'inactive', 'the old one is never activated again');
  });

  test('lets what is pending go on, and gives the one before nothing more', async () => {
    const { app } = listening;
    const old = app.mockDeliveryTo('https://static.example/n-e', { status: 503 });
    const moved = app.mockDeliveryTo('https://static.example/moved', { status: 200 });
    await deployment.deploy(definitions({ name: 'n-e', retryMs: RETRY_MS }));
    await app.post('static', {}, 'before');
    await until('it was tried', () => old.requests.length > 0);
    const url = 'https://static.example/moved';
    await deployment.deploy(definitions({ name: 'n-e', retryMs: RETRY_MS, url }));
    await untilWithdrawn(app.client.workflow.getHandle(listenerWorkflowId('n-e')));
    const answered = app.mockDeliveryTo('https://static.example/n-e', { status: 200 });
    await app.post('static', {}, 'after');
    await app.waitForPendingDeliveries('n-e');
    await app.waitForPendingDeliveries('n-e-2');
    assert.equal(answered.requests.length, 1, 'what was pending was delivered');
    assert.deepEqual(moved.requests.map(({ id }) => id).length, 1);
    assert.notEqual(moved.requests[0]?.id, answered.requests[0]?.id);
    assert.equal((await shown('n-e')).deliveries, 1, 'what comes is not even skipped');
  });

  test('is one after the other, whoever asks', async () => {
    const one = definitions({ name: 'n-f' }, { name: 'n-g' });
    const other = definitions({ name: 'n-f' }, { name: 'n-h' });
    await Promise.all([one, other, one, other].map((each) => deployment.deploy(each)));
    const last = await deployment.deploy(other);
    assert.equal((await shown(last.unchanged[0] ?? '')).status, 'active');
    const { listeners } = await until('visibility has it', async () => {
      const page = await listening.get('/api/v1/listeners?status=active');
      return (page.listeners as Body[]).length === 2 && page;
    });
    const names = (listeners as Body[]).map(({ name }) => name).toSorted();
    assert.deepEqual(names, ['n-f', 'n-h']);
  });

  test('that can not be says which listener, and the next one goes on', async () => {
    const filter = "data.a == 'x' || data.b != 1";
    const [good] = definitions({ name: 'n-i' });
    const [bad] = definitions({ name: 'n-j', filter });
    assert.ok(good && bad);
    const wrong = { ...bad, sources: ['nowhere'] };
    await assert.rejects(deployment.deploy([good, wrong]), {
      name: 'DeployError',
      message: /source "nowhere" not found/,
    });
    const mended = await deployment.deploy([good, bad]);
    assert.deepEqual([mended.unchanged, mended.created.length], [['n-i'], 1]);
  });

  test('can be taken back after one that was made in part', async () => {
    const wanted = definitions({ name: 'n-taken-back' });
    const [changed] = definitions({ name: 'n-taken-back', url: 'https://moved.example/' });
    const [bad] = definitions({ name: 'n-none' });
    assert.ok(changed && bad);
    await deployment.deploy(wanted);
    const wrong = { ...bad, sources: ['nowhere'] };
    await assert.rejects(deployment.deploy([changed, wrong]), { name: 'DeployError' });
    assert.equal((await shown('n-taken-back-2')).status, 'active');
    const { created, deactivated } = await deployment.deploy(wanted);
    assert.deepEqual([created, deactivated], [['n-taken-back-3'], ['n-taken-back-2']]);
    const { status, url } = await shown('n-taken-back-3');
    assert.deepEqual([status, url], ['active', (await shown('n-taken-back')).url]);
    assert.equal((await shown('n-taken-back-2')).status, 'inactive');
    assert.deepEqual((await deployment.deploy(wanted)).unchanged, ['n-taken-back-3']);
  });

  test('goes on in the next run, which knows what there is', async () => {
    const { app } = listening;
    const taskQueue = 'continued';
    const workflowId = deploymentWorkflowId(taskQueue);
    const input: DeploymentInput = { generation: 0, hash: '', listeners: [], historyEventsMax: 5 };
    const handle = await app.client.workflow.start(DEPLOYMENT_WORKFLOW_TYPE, {
      workflowId,
      taskQueue: listenerTaskQueue(app.taskQueue),
      args: [input],
    });
    const continued = new DeploymentClient(app.client, taskQueue);
    const wanted = definitions({ name: 'n-l' }, { name: 'n-m' });
    const { created } = await continued.deploy(wanted);
    await until('it is the next run', async () => {
      const { runId } = await app.client.workflow.getHandle(workflowId).describe();
      return runId !== handle.firstExecutionRunId;
    });
    assert.equal((await continued.current()).generation, 1);
    const again = await continued.deploy(wanted);
    assert.deepEqual([again.generation, again.unchanged], [1, created]);
    await continued.deploy([]);
    await app.client.workflow.getHandle(workflowId).terminate();
  });

  test('knows its listeners again when somebody has ended its workflow', async () => {
    const { app } = listening;
    const wanted = definitions({ name: 'n-o' }, { name: 'n-p' });
    const { generation, created } = await deployment.deploy(wanted);
    await until('visibility has them', async () => {
      const page = await listening.get('/api/v1/listeners?status=active');
      return (page.listeners as Body[]).length === 2;
    });
    await app.client.workflow.getHandle(deploymentWorkflowId(app.taskQueue)).terminate();
    const again = await deployment.deploy(wanted);
    assert.deepEqual([again.generation, again.created, again.unchanged], [generation, [], created]);
  });

  test('knows them also when somebody has deleted it, and takes no older one for what is wanted', async () => {
    const { app, get, stop } = await startListening(server, { sources: ['static'], outbound: {} });
    try {
      const deleted = new DeploymentClient(app.client, app.taskQueue);
      const wanted = definitions({ name: 'n-deleted' });
      await deleted.deploy(wanted);
      const url = 'https://moved.example/';
      await deleted.deploy(definitions({ name: 'n-deleted', url }));
      await until('visibility has it', async () => {
        const { listeners } = await get('/api/v1/listeners?status=active');
        const ids = (listeners as Body[]).map(({ id }) => id);
        return ids.length === 1 && ids[0] === 'n-deleted-2';
      });
      const workflowExecution = { workflowId: deploymentWorkflowId(app.taskQueue) };
      const { namespace } = server;
      await app.client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution });
      await until('it is deleted', async () => (await deleted.current()).generation === 0);
      const { generation, created, deactivated } = await deleted.deploy(wanted);
      assert.deepEqual([generation, created, deactivated], [1, ['n-deleted-3'], ['n-deleted-2']]);
      assert.equal((await get('/api/v1/listeners/n-deleted-3')).status, 'active');
    } finally {
      await stop();
    }
  });

  test('creates again what somebody has ended, but not what was removed', async () => {
    const { app, listeners } = listening;
    const wanted = definitions({ name: 'n-q' }, { name: 'n-r' }, { name: 'n-s' });
    const { generation } = await deployment.deploy(wanted);
    await app.client.workflow.getHandle(listenerWorkflowId('n-q')).terminate();
    await listeners.deactivate('n-r', 'by hand');
    await listeners.remove('n-r');
    await app.client.workflow.getHandle(listenerWorkflowId('n-r')).result();
    const again = await deployment.deploy(wanted);
    assert.deepEqual(again, {
      generation,
      created: ['n-q-2'],
      deactivated: [],
      unchanged: ['n-r', 'n-s'],
    });
    assert.equal((await shown('n-q-2')).status, 'active');
    await app.client.workflow.getHandle(listenerWorkflowId('n-q-2')).terminate();
    assert.deepEqual((await deployment.deploy(wanted)).created, ['n-q-3']);
    assert.deepEqual((await deployment.deploy(wanted)).unchanged, ['n-q-3', 'n-r', 'n-s']);
  });

  test('is durable: a worker that comes later makes it', async () => {
    const { app } = listening;
    await app.stopWorker();
    const deploying = deployment.deploy(definitions({ name: 'n-k' }));
    await until('it is asked for', async () => {
      const handle = app.client.workflow.getHandle(deploymentWorkflowId(app.taskQueue));
      return (await handle.describe()).raw.pendingWorkflowTask;
    });
    await app.startWorker();
    assert.deepEqual((await deploying).created, ['n-k']);
  });
});

describe('npx nextevent deploy', () => {
  test('deploys; a worker of another configuration says so, and changes nothing', async () => {
    const folder = await mkdtemp(join(ROOT, 'test/.deploy-'));
    const env = { TEMPORAL_ADDRESS: server.address, LOG_FORMAT: 'text' };
    const old = await writeConfig(folder, 'old', 'https://old.example/');
    const next = await writeConfig(folder, 'next', 'https://next.example/');
    const worker = await startProcess('worker', { ...env, NEXTEVENT_CONFIG: old });
    try {
      await until('it says so', () => /not the deployed one/.test(worker.output()));
      const created = await deploy(env, '--config', old);
      assert.equal(created, 'generation 1\ncreated shop\n');
      assert.equal(await deploy(env, '--config', old), 'generation 1\nunchanged shop\n');
      const changed = JSON.parse(await deploy(env, '--config', next, '--json')) as Body;
      assert.deepEqual([changed.created, changed.deactivated], [['shop-2'], ['shop']]);
      const other = await startProcess('worker', { ...env, NEXTEVENT_CONFIG: old });
      try {
        await until('it says so', () => /not the deployed one/.test(other.output()));
        assert.equal(await deploy(env, '--config', next), 'generation 2\nunchanged shop-2\n');
      } finally {
        await other.kill();
      }
    } finally {
      await worker.kill();
      await rm(folder, { recursive: true });
    }
  });

  test('says that there is nothing to deploy without `outbound`', async () => {
    const config = join(ROOT, 'test/kill.config.ts');
    const env = { TEMPORAL_ADDRESS: server.address };
    await assert.rejects(deploy(env, '--config', config), { code: 1, stderr: /no `outbound`/ });
  });
});

function definitions(
  ...given: ReadonlyArray<Partial<ListenerOptions> & { readonly name: string }>
): ListenerDefinition[] {
  const toDefinition = createToDefinition(listening.app.config);
  assert.ok(toDefinition);
  return given.map((each) =>
    toDefinition({ source: 'static', url: `https://static.example/${each.name}`, ...each }),
  );
}

function shown(id: string): Promise<Body> {
  return listening.get(`/api/v1/listeners/${id}`);
}

async function writeConfig(folder: string, name: string, url: string): Promise<string> {
  const file = join(folder, `${name}.config.ts`);
  await writeFile(
    file,
    `import { defineConfig, webhook } from 'nextevent';
export default defineConfig({
  workflowsPath: '../workflows/index.ts',
  taskQueue: 'deployed',
  sources: { shop: webhook({ verify: 'none' }) },
  outbound: { listeners: [{ name: 'shop', source: 'shop', url: '${url}' }] },
});
`,
  );
  return file;
}

async function deploy(env: Readonly<Record<string, string>>, ...args: string[]): Promise<string> {
  const options = ['--conditions=source', '--import', 'tsx', CLI, 'deploy', ...args];
  const { stdout } = await run(process.execPath, options, { env: { ...process.env, ...env } });
  return stdout;
}
