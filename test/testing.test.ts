// What users test their workflows with, as users use it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { discord, webhook, type Event, type WebhookData } from 'nextevent';
import {
  ConfigError,
  NotAcceptedError,
  quietRuntime,
  recordHistory,
  ReplayFailedError,
  replayHistories,
  SigningError,
  startTestApp,
  startTestServer,
  until,
  WaitError,
  type TestApp,
  type TestAppOptions,
  type TestServer,
} from 'nextevent/testing';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const WORKFLOWS = pathOf('workflows/plugged.ts');

/** Longer than anything takes, on a machine that has much else to do. */
const LONG = { timeoutMs: 240_000 };

const open = webhook({ verify: 'none' });
const project = {
  workflowsPath: WORKFLOWS,
  sources: {
    placed: open,
    decisions: open,
    // Discord alone has the private key.
    signed: discord({ publicKey: '0'.repeat(64) }),
  },
  triggers: [{ name: 'on-placed', source: 'placed', workflow: 'plugged' }],
  activities: { decide: (decision: Event) => Promise.resolve(`read ${bodyOf(decision)}`) },
} satisfies TestAppOptions;

quietRuntime();

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.stop());

describe('A project that is tested', { timeout: 900_000 }, () => {
  let app: TestApp;
  before(async () => {
    app = await startTestApp(server, project);
  });
  after(() => app.stop());

  test('takes events through HTTP, which start and wake workflows', async () => {
    const workflowId = await place('A-1');
    const held = await app.waitForSubscriptions(workflowId, LONG);
    assert.deepEqual(held, [{ source: 'decisions', filter: "data.body.json.order == 'A-1'" }]);
    await app.send('decisions', { order: 'A-1' }, { id: 'decision' });
    assert.equal(await app.client.workflow.getHandle(workflowId).result(), 'read {"order":"A-1"}');
  });

  test('takes text as it is, and headers', async () => {
    const workflowId = await place('A-2');
    await app.waitForSubscriptions(workflowId, LONG);
    const text = '{ "order": "A-2" }';
    const headers = { 'content-type': 'application/vnd.orders+json' };
    const { id } = await app.send('decisions', text, { id: 'text', headers });
    assert.equal(id, 'text');
    assert.equal(await app.client.workflow.getHandle(workflowId).result(), `read ${text}`);
  });

  test('starts a workflow once for an event that is sent again', async () => {
    const handle = app.client.workflow.getHandle('on-placed/twice');
    const first = await app.send('placed', { order: 'A-3' }, { id: 'twice' });
    const look = () => handle.describe().catch(() => undefined);
    const { runId } = await until('it is started', look, LONG);
    const again = await app.send('placed', { order: 'A-3' }, { id: 'twice' });
    // Comes after it, also if both are queued.
    await app.waitForSubscriptions(await place('A-3-after'), LONG);
    assert.equal((await handle.describe()).runId, runId);
    for (const { started, queued } of [first, again]) {
      if (!queued) assert.deepEqual(started, ['on-placed/twice']);
    }
  });

  test('says which source there is not', async () => {
    await assert.rejects(app.send('nowhere', {}), (error: unknown) => {
      assert.ok(error instanceof NotAcceptedError);
      assert.equal(error.status, 404);
      assert.equal(error.message, 'source nowhere answered 404: there is no source "nowhere"');
      return true;
    });
    await assert.rejects(app.waitForSubscriptions('any', { source: 'nowhere' }), {
      name: 'UnknownSourceError',
    });
  });

  test('sends nothing that only its provider can sign', async () => {
    await assert.rejects(app.send('signed', {}), SigningError);
  });

  test('accepts events without its worker, and goes on when it is back', async () => {
    const workflowId = await place('A-4');
    await app.waitForSubscriptions(workflowId, LONG);
    await app.stopWorker();
    await app.send('decisions', { order: 'A-4' });
    await app.startWorker();
    assert.equal(await app.client.workflow.getHandle(workflowId).result(), 'read {"order":"A-4"}');
  });

  test('runs beside another one on the same server', async () => {
    const other = await startTestApp(server, {
      ...project,
      sources: { others: open },
      triggers: [],
    });
    try {
      const handle = await other.start('subscribeOnly', 'others');
      assert.match((await handle.result()) as string, /^[0-9a-f-]{36}$/);
    } finally {
      await other.stop();
    }
    await app.waitForSubscriptions(await place('A-5'), LONG);
  });

  test('is waited for until it has subscribed, in vain if it has ended', async () => {
    const handle = await app.start('subscribeOnly', 'decisions');
    await handle.result();
    await assert.rejects(app.waitForSubscriptions(handle, LONG), {
      name: 'WaitError',
      message: /^waited in vain until subscribeOnly-.* it has ended \(COMPLETED\)$/,
    });
    const waiting = app.waitForSubscriptions(await place('A-6'), { count: 2, timeoutMs: 1 });
    await assert.rejects(waiting, WaitError);
    const never = app.waitForSubscriptions('on-placed/never', { timeoutMs: 1 });
    await assert.rejects(never, WaitError);
  });

  /** The id of the workflow that an order has started. */
  async function place(order: string): Promise<string> {
    const { id } = await app.send('placed', { order });
    return `on-placed/${id}`;
  }
});

describe('The configuration of a project', { timeout: 900_000 }, () => {
  test('is that of its file, and what else is given takes its place', async () => {
    const greetings: string[] = [];
    const app = await startTestApp(server, {
      config: join(ROOT, 'nextevent.config.ts'),
      activities: { greet: (name: string) => Promise.resolve(greetings.push(name)) },
      triggers: [{ name: 'given', source: 'hello', workflow: 'approval' }],
      rateLimits: { perSource: 7 },
    });
    try {
      assert.deepEqual(
        app.config.triggers.map(({ name }) => name),
        ['given'],
      );
      assert.deepEqual(app.config.rateLimits, { perSource: 7 });
      assert.ok(app.config.sources.has('approvals'));
      assert.deepEqual(Object.keys(app.config.activities).toSorted(), ['greet', 'notify']);
      assert.match(app.taskQueue, /^test-/);
    } finally {
      await app.stop();
    }
  });

  test('says which workflow answers the sender', async () => {
    const app = await startTestApp(server, { config: pathOf('answering.config.ts') });
    try {
      const answer = await fetch(`${app.ingress.url}/webhooks/asked`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ response: { status: 203, body: 'from the workflow' } }),
      });
      assert.deepEqual([answer.status, await answer.text()], [203, 'from the workflow']);
    } finally {
      await app.stop();
    }
  });

  test('says how many requests are taken', async () => {
    const app = await startTestApp(server, { config: pathOf('answering.config.ts') });
    try {
      // At once: a minute later there is room for another one.
      const sent = [1, 2].map(() => app.send('limited', {}));
      const outcomes = await Promise.allSettled(sent);
      const refused = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
      assert.deepEqual(
        refused.map(({ name, status }) => [name, status]),
        [['NotAcceptedError', 429]],
      );
    } finally {
      await app.stop();
    }
  });

  test('is refused if it is wrong', async () => {
    const { sources, workflowsPath } = project;
    const triggers = [{ name: 'wrong', source: 'placed', workflow: 'missing' }];
    const cases: TestAppOptions[] = [{}, { sources }, { sources, workflowsPath, triggers }];
    for (const options of cases) {
      await assert.rejects(startTestApp(server, options), ConfigError);
    }
  });
});

describe('A recorded history', { timeout: 900_000 }, () => {
  let directory: string;
  let files: readonly [kept: string, broken: string];
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nextevent-histories-'));
    const app = await startTestApp(server, project);
    try {
      const { id } = await app.send('placed', { order: 'kept' });
      await app.waitForSubscriptions(`on-placed/${id}`, LONG);
      await app.send('decisions', { order: 'kept' });
      const handle = app.client.workflow.getHandle(`on-placed/${id}`);
      await handle.result();
      files = [join(directory, 'kept.json'), join(directory, 'broken.json')];
      await writeFile(files[0], JSON.stringify(await recordHistory(handle)));
      await writeFile(files[1], '{"events":[]}');
    } finally {
      await app.stop();
    }
  });
  after(() => rm(directory, { recursive: true }));

  test('names no machine', async () => {
    const text = await readFile(files[0], 'utf8');
    assert.doesNotMatch(text, new RegExp(`${process.pid}@`));
  });

  test('replays against the code that made it', async () => {
    const history = JSON.parse(await readFile(files[0], 'utf8'));
    await replayHistories([files[0], history], { workflowsPath: WORKFLOWS });
  });

  test('does not replay against code that takes another path, and is named', async () => {
    const workflowsPath = pathOf('workflows/plugged-changed.ts');
    const ofLibrary = pathOf('histories/source.json');
    const replay = replayHistories([ofLibrary, ...files], { workflowsPath });
    await assert.rejects(replay, (error: unknown) => {
      assert.ok(error instanceof ReplayFailedError);
      assert.deepEqual([...error.failures.keys()], ['kept.json', 'broken.json']);
      assert.match(
        error.message,
        /^2 of 3 histories do not replay: kept\.json \(.*Nondeterminism.*'decide'.*\), /,
      );
      assert.match(error.message, /broken\.json \(it is no history of a workflow\)$/);
      return true;
    });
  });
});

describe('A server for tests', { timeout: 900_000 }, () => {
  test('is gone with its database once it is stopped', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nextevent-empty-'));
    const { TMPDIR } = process.env;
    process.env.TMPDIR = directory;
    try {
      const own = await startTestServer();
      assert.equal((await readdir(directory)).length, 1);
      await own[Symbol.asyncDispose]();
      assert.deepEqual(await readdir(directory), []);
      await assert.rejects(
        once(connect(Number(own.address.split(':')[1]), '127.0.0.1'), 'connect'),
      );
    } finally {
      if (TMPDIR === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = TMPDIR;
      await rm(directory, { recursive: true });
    }
  });

  test('is the one that runs at TEMPORAL_ADDRESS, and stays', async () => {
    process.env.TEMPORAL_ADDRESS = server.address;
    try {
      const same = await startTestServer();
      assert.equal(same.address, server.address);
      const app = await startTestApp(same, project);
      await (await app.start('subscribeOnly', 'decisions')).result();
      await app.stop();
      await same.stop();
    } finally {
      delete process.env.TEMPORAL_ADDRESS;
    }
    await server.client.workflowService.getSystemInfo({});
  });

  test('keeps no process alive, with no runner of tests', async () => {
    // It bundles for itself too.
    const { NODE_TEST_CONTEXT: _, NEXTEVENT_TEST_BUNDLES: __, ...env } = process.env;
    const child = spawn(
      process.execPath,
      ['--conditions=source', '--import', 'tsx', pathOf('testing-script.ts')],
      { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const output: string[] = [];
    child.stdout.on('data', (data: Buffer) => output.push(data.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    assert.deepEqual([code, output.join('')], [0, 'stopped\n']);
  });
});

test('A wait ends with what it found, or says what it waited for', async () => {
  let looks = 0;
  assert.equal(await until('the third look', () => (looks += 1) === 3 && 'found', LONG), 'found');
  await assert.rejects(
    until('it rains', () => false, { timeoutMs: 1 }),
    { name: 'WaitError', message: 'waited 1 ms in vain until it rains' },
  );
  await assert.rejects(
    until('it fails', () => Promise.reject(new TypeError('broken'))),
    TypeError,
  );
});

test('The code in docs/testing.md is the example that runs', async () => {
  const page = await readFile(join(ROOT, 'docs/testing.md'), 'utf8');
  const example = await readFile(pathOf('testing-example.test.ts'), 'utf8');
  const [, shown] = /```ts\n([^]*?)```/.exec(page) ?? [];
  assert.equal(shown, example.slice(example.indexOf('import ')));
});

function pathOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

function bodyOf({ data }: Event): string {
  return (data as WebhookData).body.text ?? '';
}
