// `npm start`, `npm run dev` and what they are made of: real processes, a real server.

import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { Client, Connection } from '@temporalio/client';

import { startTemporal } from '../dev/temporal.ts';
import { findTemporal } from '../scripts/find-temporal.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const NODE_OPTIONS = ['--conditions=source', '--import', import.meta.resolve('tsx')];
const UNTIL_MS_MAX = 240_000;
const DAY_SECONDS = 24 * 60 * 60;

const run = promisify(execFile);

const CONFIG = `
  import { defineConfig, webhook } from 'nextevent';
  export default defineConfig({
    workflowsPath: './flows/index.ts',
    sources: { source1: webhook({ verify: 'none' }), 'try-me': webhook({ verify: 'none' }) },
    triggers: [{ name: 'on-post', source: 'try-me', workflow: 'answer' }],
  });`;

const ANSWER = `export async function answer(): Promise<string> {
  return 'one';
}
`;

const FAULTY_ANSWER = `export async function answer(): Promise<string> {
  const nothing: { x?: () => string } = {};
  return (nothing.x as () => string)();
}
`;

const CONFIG_WITH_ACTIVITY = CONFIG.replace(
  'sources:',
  `activities: {
      async rest() {
        console.log('the activity rests');
        await new Promise((resolve) => setTimeout(resolve, 600_000));
      },
    },
    sources:`,
);

const RESTING = `import { proxyActivities } from '@temporalio/workflow';
const { rest } = proxyActivities({ startToCloseTimeout: '1 hour' });
export async function answer(): Promise<void> {
  await rest();
}
`;

describe('npm start', () => {
  test('prints a curl line that works as it is, and ends all it started on Ctrl-C', async () => {
    await using project = await makeProject({ workflows: ANSWER });
    // Other programs have such a variable, too.
    const dev = project.start({ env: { HOST: 'nowhere.invalid' } });
    const curl = await dev.curlLine();
    const { stdout } = await run('bash', ['-c', curl]);
    // A server that has too much to do when it starts has it taken by way of the backlog.
    assert.match(stdout, /"(started":\["on-post\/|queued":true)/);
    const again = await run('bash', ['-c', `${curl} --silent --include`]);
    assert.match(again.stdout, /^HTTP\/1\.1 202 /);
    assert.match(dev.output, /webhooks\/try-me -d/, 'a name that needs no thought is shown');
    const children = childrenOf(dev.pid);
    assert.ok(children.length >= 3, `Temporal, worker and ingress: ${children.join()}`);
    dev.kill('SIGINT');
    assert.equal(await dev.exitCode, 0);
    await until('all children have gone', () => !children.some(isRunning));
  });

  test('has a source tried that takes what is not signed, and answers itself', async () => {
    const config = configWithSources(`
      hub: github({ secret: 's3cr3t' }),
      off: github({ secret: env('NO_SUCH_VARIABLE') }),
      lax: github({ verify: 'none' }),
      choosy: webhook({ verify: 'none', handler: () => ({ kind: 'preflight' }) }),
      'try-me': webhook({ verify: 'none' }),
      source1: webhook({ verify: 'none' }),`).replace(
      "workflow: 'answer'",
      "workflow: 'answer', respond: { timeoutMs: 100 }",
    );
    await using project = await makeProject({ workflows: ANSWER, config });
    const dev = project.start();
    const { stdout } = await run('bash', ['-c', `${await dev.curlLine()} --silent --include`]);
    assert.match(stdout, /^HTTP\/1\.1 202 /);
    assert.match(dev.output, /webhooks\/source1 -d/);
    dev.kill('SIGINT');
    assert.equal(await dev.exitCode, 0);
  });

  test('says so when no source takes what is not signed', async () => {
    const config = configWithSources(`'try-me': github({ secret: 's3cr3t' }),`);
    await using project = await makeProject({ workflows: ANSWER, config });
    const dev = project.start();
    await dev.prints(/^To sign and send a sample: npx nextevent send <source>$/m);
    assert.doesNotMatch(dev.output, /curl/);
    const { webhooks = '' } =
      /^webhooks +(?<webhooks>http:.*)\/webhooks/m.exec(dev.output)?.groups ?? {};
    const sent = await run(
      process.execPath,
      [...NODE_OPTIONS, join(ROOT, 'cli/main.ts'), 'send', 'try-me', '--url', webhooks],
      { cwd: project.path },
    );
    assert.match(sent.stdout, /^202 /);
    dev.kill('SIGINT');
    assert.equal(await dev.exitCode, 0);
  });

  test('says in one sentence that it runs already in this folder, whatever the ports', async () => {
    await using project = await makeProject({ workflows: ANSWER });
    const first = project.start();
    await first.curlLine();
    const second = project.start();
    const exits = second.exitCode;
    assert.equal(await Promise.race([exits, second.curlLine().catch(() => exits)]), 1);
    assert.equal(
      second.output,
      '.nextevent/temporal.db is in use by another Temporal server, because this project runs already: ' +
        'stop that one, or set TEMPORAL_ADDRESS to its server\n',
    );
    const { temporal } = await programsOf(first.pid);
    first.kill('SIGKILL');
    await until('its server has gone', () => !isRunning(temporal));
    const third = project.start();
    await third.curlLine();
    third.kill('SIGINT');
    assert.equal(await third.exitCode, 0);
  });

  test('says of an event that nobody wanted why', async () => {
    const config = CONFIG.replace(
      "workflow: 'answer'",
      `filter: "data.body.json.action == 'opened'", workflow: 'answer'`,
    );
    await using project = await makeProject({ workflows: ANSWER, config });
    const dev = project.start();
    const curl = await dev.curlLine();
    const authorized = `${curl.replace('"hello"', '"action"')} -H 'authorization: Bearer s3cr3t'`;
    await run('bash', ['-c', authorized]);
    await dev.prints(
      /^try-me post -> no match 1: on-post: data\.body\.json\.action is 'world', not 'opened'$/m,
    );
    assert.doesNotMatch(dev.output, /s3cr3t/);
    dev.kill('SIGINT');
    assert.equal(await dev.exitCode, 0);
  });

  test('deploys the listeners of the configuration, and again what has changed', async () => {
    const config = configWithListener('https://one.example/');
    await using project = await makeProject({ workflows: ANSWER, config });
    const first = project.start();
    await first.prints(/^listeners deployed: created crm$/m);
    await first.curlLine();
    const [, api = ''] = /^management +(\S+)$/m.exec(first.output) ?? [];
    const crm = (await (await fetch(`${api}/listeners/crm`)).json()) as Record<string, unknown>;
    assert.deepEqual([crm.status, crm.isStatic, crm.deliveries], ['active', true, 0]);
    first.kill('SIGINT');
    assert.equal(await first.exitCode, 0);
    await project.write('nextevent.config.ts', configWithListener('https://two.example/'));
    const second = project.start();
    await second.prints(/^listeners deployed: created crm-2; deactivated crm$/m);
    second.kill('SIGINT');
    assert.equal(await second.exitCode, 0);
  });

  test('keeps workflows over a restart', async () => {
    await using project = await makeProject({ workflows: ANSWER });
    const first = project.start();
    const workflowId = await postBy(await first.curlLine());
    first.kill('SIGTERM');
    assert.equal(await first.exitCode, 0);

    const second = project.start();
    await second.curlLine();
    await using connection = await connectTo(second.temporalAddress);
    const described = await new Client({ connection }).workflow.getHandle(workflowId).describe();
    assert.equal(described.type, 'answer');
    second.kill('SIGINT');
    await second.exitCode;
  });

  test('leaves nothing behind when it is killed', async () => {
    await using project = await makeProject({ workflows: ANSWER });
    const dev = project.start();
    await dev.curlLine();
    const children = childrenOf(dev.pid);
    dev.kill('SIGKILL');
    await dev.exitCode;
    await until('all children have gone', () => !children.some(isRunning));
  });

  test('stops everything, and says why, when the worker dies', async () => {
    await using project = await makeProject({ workflows: ANSWER });
    const dev = project.start();
    await dev.curlLine();
    const children = childrenOf(dev.pid);
    process.kill((await programsOf(dev.pid)).worker, 'SIGKILL');
    assert.equal(await dev.exitCode, 1);
    assert.match(dev.output, /^worker ended \(signal SIGKILL\): stopping everything$/m);
    await until('all children have gone', () => !children.some(isRunning));
  });

  test('shows an exception that Temporal retries for ever, with file and line', async () => {
    await using project = await makeProject({ workflows: FAULTY_ANSWER });
    const dev = project.start();
    await run('bash', ['-c', await dev.curlLine()]);
    await dev.prints(
      /^answer on-post\/\S+ failed its task: TypeError: nothing\.x is not a function \(flows\/index\.ts:3:\d+\); Temporal retries it$/m,
    );
    dev.kill('SIGINT');
    assert.equal(await dev.exitCode, 0);
  });

  for (const variable of ['PORT', 'TEMPORAL_PORT', 'TEMPORAL_UI_PORT']) {
    test(`names ${variable} when that port is taken`, async () => {
      await using project = await makeProject({ workflows: ANSWER });
      await using taken = await listenSomewhere();
      const dev = project.start({ env: { [variable]: String(taken.port) } });
      assert.equal(await dev.exitCode, 1);
      assert.equal(
        dev.output,
        `port ${taken.port} is taken by another program: stop it, or set ${variable} to another port\n`,
      );
    });
  }

  test('says in one sentence that the server at TEMPORAL_ADDRESS does not answer', async () => {
    await using project = await makeProject({ workflows: ANSWER });
    const dev = project.start({ env: { TEMPORAL_ADDRESS: '127.0.0.1:1' } });
    assert.equal(await dev.exitCode, 1);
    assert.match(dev.output, /^Temporal at 127\.0\.0\.1:1 can not be reached [^\n]+\n$/);
  });

  test('says in one sentence what is wrong in the configuration', async () => {
    await using project = await makeProject({ workflows: ANSWER, config: 'export default {};' });
    const dev = project.start();
    assert.equal(await dev.exitCode, 1);
    assert.match(dev.output, /^nextevent\.config\.ts: sources is missing or not an object$/m);
    assert.doesNotMatch(dev.output, /^ {4}at /m);
  });
});

describe('npx nextevent in a clone', () => {
  test('runs what is not built, wherever it is called', async () => {
    const { stdout } = await run(join(ROOT, 'node_modules/.bin/nextevent'), ['--help'], {
      cwd: tmpdir(),
    });
    assert.match(stdout, /^Usage: nextevent /);
  });
});

describe('npm run dev', () => {
  test('reloads changed workflows, and waits for a broken configuration to be mended', async () => {
    await using project = await makeProject({ workflows: FAULTY_ANSWER });
    const dev = project.start({ args: ['--reload'] });
    const workflowId = await postBy(await dev.curlLine());
    await dev.prints(/index\.ts:3:\d+\); Temporal retries it/);

    await project.write('flows/index.ts', `// A line more.\n${FAULTY_ANSWER}`);
    await dev.prints(/^changed: flows\/index\.ts; restarting worker and ingress$/m);
    await dev.prints(/index\.ts:4:\d+\); Temporal retries it/);

    await project.write('flows/index.ts', ANSWER);
    await using connection = await connectTo(dev.temporalAddress);
    const handle = new Client({ connection }).workflow.getHandle(workflowId);
    assert.equal(
      await handle.result(),
      'one',
      'the workflow that failed goes on with the new code',
    );

    await project.write('nextevent.config.ts', 'export default {};');
    await dev.prints(/ended before it was ready: exit code 1; waiting for a change$/m);
    const isBefore = dev.output.length;
    const more = CONFIG.replace('sources: {', `sources: { more: webhook({ verify: 'none' }),`);
    await project.write('nextevent.config.ts', more);
    await until('all is ready again', () => dev.output.slice(isBefore).includes('\ncurl '));
    const [curl = ''] = /^curl .*$/m.exec(dev.output.slice(isBefore)) ?? [];
    // The ingress has the source that was added.
    await postBy(curl.replace(/webhooks\/[a-z0-9-]+/, 'webhooks/more'));
    dev.kill('SIGINT');
    assert.equal(await dev.exitCode, 0);
  });

  test('starts once what did not load at first is mended, wherever it is in the project', async () => {
    const config = CONFIG.replace('./flows/', './src/flows/');
    const workflows = ANSWER.replace("'one'", 'WORD');
    const broken = `import { WORD } from '../../words/word.ts';\nexport async function answer( {`;
    await using project = await makeProject({ workflows: '', config });
    await project.write('src/flows/index.ts', broken);
    const dev = project.start({ args: ['--reload'] });
    await dev.prints(/ended before it was ready: exit code 1; waiting for a change$/m);

    await project.write(
      'src/flows/index.ts',
      `import { WORD } from '../../words/word.ts';\n${workflows}`,
    );
    await dev.prints(/^changed: src\/flows\/index\.ts; restarting worker and ingress$/m);
    await until('it waits again', () => dev.output.split('waiting for a change').length > 2);

    await project.write('words/word.ts', `export const WORD = 'one';`);
    await dev.prints(/^changed: words\/word\.ts; restarting worker and ingress$/m);
    const workflowId = await postBy(await dev.curlLine());
    await using connection = await connectTo(dev.temporalAddress);
    const { workflow } = new Client({ connection });
    assert.equal(await workflow.getHandle(workflowId).result(), 'one');

    const isBefore = dev.output.length;
    await project.write('words/word.ts', `export const WORD = 'two';`);
    await until('all is ready again', () => dev.output.slice(isBefore).includes('\ncurl '));
    const [curl = ''] = /^curl .*$/m.exec(dev.output.slice(isBefore)) ?? [];
    assert.equal(await workflow.getHandle(await postBy(curl)).result(), 'two');

    await Promise.all(
      ['node_modules/one/index.ts', 'dist/index.js', '.git/index.ts', 'README.md'].map((name) =>
        project.write(name, ''),
      ),
    );
    await project.write('words/last.ts', '');
    await dev.prints(/^changed: words\/last\.ts; restarting worker and ingress$/m);
    assert.doesNotMatch(dev.output, /^changed: .*(?:node_modules|dist|git|README)/m);
    dev.kill('SIGINT');
    assert.equal(await dev.exitCode, 0);
  });

  test('is stopped in order by Ctrl-C during a reload, with an activity that does not end', async () => {
    await using project = await makeProject({ workflows: RESTING, config: CONFIG_WITH_ACTIVITY });
    const dev = project.start({ args: ['--reload'] });
    await run('bash', ['-c', await dev.curlLine()]);
    await dev.prints(/^the activity rests$/m);
    const programs = await programsOf(dev.pid);
    try {
      await project.write('flows/index.ts', `// A line more.\n${RESTING}`);
      await dev.prints(/^changed: /m);
      await until('the ingress has ended', () => !isRunning(programs.ingress));
      assert.ok(isRunning(programs.worker), 'it waits for its activity');

      dev.kill('SIGINT');
      const children = new Set(childrenOf(dev.pid));
      while (isRunning(dev.pid)) {
        const [hasTemporal, hasWorker] = [programs.temporal, programs.worker].map(isRunning);
        assert.ok(hasTemporal || !hasWorker, 'Temporal outlives the worker');
        const later = childrenOf(dev.pid).filter((pid) => !children.has(pid));
        assert.deepEqual(later, [], 'nothing is started any more');
      }
      assert.deepEqual(Object.values(programs).filter(isRunning), [], 'nothing is left');
    } finally {
      for (const pid of Object.values(programs).filter(isRunning)) process.kill(pid, 'SIGKILL');
    }
    assert.equal(await dev.exitCode, 0);
  });
});

describe('the ingress alone', () => {
  test('says in one sentence that its port is taken', async () => {
    await using project = await makeProject({ workflows: ANSWER });
    await using taken = await listenSomewhere();
    const dev = project.start();
    await dev.curlLine();
    const ingress = project.start({
      entry: 'ingress/main.ts',
      env: { TEMPORAL_ADDRESS: dev.temporalAddress, PORT: String(taken.port) },
    });
    assert.equal(await ingress.exitCode, 1);
    assert.equal(
      ingress.output,
      `127.0.0.1:${taken.port} is taken: stop what listens there, or set PORT to another port\n`,
    );
  });
});

for (const name of ['worker', 'ingress']) {
  describe(`the ${name} alone`, () => {
    test('says in one sentence that Temporal can not be reached', async () => {
      await using project = await makeProject({ workflows: ANSWER });
      const program = project.start({
        entry: `${name}/main.ts`,
        env: { TEMPORAL_ADDRESS: '127.0.0.1:1' },
      });
      assert.equal(await program.exitCode, 1);
      assert.match(program.output, /^Temporal at 127\.0\.0\.1:1 can not be reached: [^\n]+\n$/);
    });
  });
}

describe('startTemporal', () => {
  test('keeps what it holds over a crash, on the same port', async () => {
    await using directory = await makeDirectory(tmpdir());
    const dbFilename = join(directory.path, 'temporal.db');
    const executable = await findTemporal();
    const first = await startTemporal({ executable, dbFilename, ui: false });
    {
      await using connection = await connectTo(first.address);
      const client = new Client({ connection });
      await client.workflow.start('any', { workflowId: 'kept', taskQueue: 'none' });
    }
    await first.kill();
    assert.equal((await first.exited).signal, 'SIGKILL');

    const port = Number(first.address.split(':')[1]);
    const second = await startTemporal({ executable, dbFilename, port, ui: false, tuned: false });
    assert.equal(second.address, first.address);
    await using connection = await connectTo(second.address);
    const { status } = await new Client({ connection }).workflow.getHandle('kept').describe();
    assert.equal(status.name, 'RUNNING');
    await assert.rejects(startTemporal({ executable, dbFilename, port, ui: false }), {
      name: 'PortTakenError',
      message: `port ${port} is taken by another program`,
    });
    await second.stop();
  });

  test('keeps finished workflows for 30 days, and serves its UI', async () => {
    await using directory = await makeDirectory(tmpdir());
    const dbFilename = join(directory.path, 'temporal.db');
    const server = await startTemporal({ executable: await findTemporal(), dbFilename });
    await using connection = await connectTo(server.address);
    const { config } = await connection.workflowService.describeNamespace({ namespace: 'default' });
    assert.equal(Number(config?.workflowExecutionRetentionTtl?.seconds), 30 * DAY_SECONDS);
    assert.equal((await fetch(server.uiAddress ?? '')).status, 200);
    await server.stop();
  });

  test('says what the server said when it ends at once', async () => {
    await assert.rejects(
      startTemporal({ executable: await findTemporal(), dbFilename: '/no/such/folder/t.db' }),
      /the Temporal server ended at once: .*no such file or directory/,
    );
  });
});

function configWithListener(url: string): string {
  const listener = `{ name: 'crm', source: 'source1', url: '${url}' }`;
  return CONFIG.replace('triggers:', `outbound: { listeners: [${listener}] }, triggers:`);
}

function configWithSources(sources: string): string {
  return CONFIG.replace(/sources: .*/, `sources: {${sources}},`).replace(
    'webhook }',
    'env, github, webhook }',
  );
}

interface ProjectOptions {
  readonly workflows: string;
  readonly config?: string;
}

interface StartOptions {
  readonly entry?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A project in a folder of the clone, where `nextevent` is the clone itself. */
async function makeProject({ workflows, config = CONFIG }: ProjectOptions) {
  const parent = join(ROOT, '.nextevent');
  await mkdir(parent, { recursive: true });
  const { path, ...directory } = await makeDirectory(parent);
  const write = async (name: string, text: string): Promise<void> => {
    await mkdir(join(path, name, '..'), { recursive: true });
    await writeFile(join(path, name), text);
  };
  await write('flows/index.ts', workflows);
  await write('nextevent.config.ts', config);
  const started: Started[] = [];
  return {
    path,
    write,
    start(options: StartOptions = {}): Started {
      const one = new Started(path, options);
      started.push(one);
      return one;
    },
    async [Symbol.asyncDispose]() {
      for (const one of started) one.kill('SIGTERM');
      await Promise.all(started.map(({ exitCode }) => exitCode));
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** A program of the clone that runs, in a project. */
class Started {
  output = '';
  readonly exitCode: Promise<number | null>;
  readonly #child: ChildProcess;

  constructor(cwd: string, { entry = 'dev/main.ts', args = [], env = {} }: StartOptions) {
    const { TEMPORAL_ADDRESS: _unused, NEXTEVENT_CONFIG: _neither, ...inherited } = process.env;
    this.#child = spawn(process.execPath, [...NODE_OPTIONS, join(ROOT, entry), ...args], {
      cwd,
      env: { ...inherited, PORT: '0', TEMPORAL_PORT: '0', TEMPORAL_UI_PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.exitCode = once(this.#child, 'close').then(([code]) => code as number | null);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get temporalAddress(): string {
    return /^Temporal +(127\.0\.0\.1:\d+)/m.exec(this.output)?.[1] ?? '';
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async prints(pattern: RegExp): Promise<string> {
    await until(`${pattern} is printed`, () => {
      if (this.#child.exitCode !== null) throw new Error(`it ended; it printed: ${this.output}`);
      return pattern.test(this.output);
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}; it printed: ${this.output}`);
    });
    return pattern.exec(this.output)?.[0] ?? '';
  }

  curlLine(): Promise<string> {
    return this.prints(/^curl .*(?=\n)/m);
  }
}

/** Runs the line that was printed, and gives the id of the workflow that it started. */
async function postBy(curl: string): Promise<string> {
  const { stdout } = await run('bash', ['-c', `${curl} --silent --fail --retry 9`]);
  const { id } = JSON.parse(stdout) as { id: string };
  return `on-post/${id}`;
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const end = Date.now() + UNTIL_MS_MAX;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${UNTIL_MS_MAX} ms: ${what}`);
    await sleep(50);
  }
}

function childrenOf(pid: number): number[] {
  // If there are none, it prints nothing, and fails.
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' });
  return (stdout.match(/\d+/g) ?? []).map(Number);
}

/** What runs for it. Each has a watchdog besides, whose arguments do not tell of what. */
async function programsOf(pid: number): Promise<Record<'worker' | 'ingress' | 'temporal', number>> {
  const { stdout } = await run('ps', ['-o', 'pid=,args=', '--ppid', String(pid)]);
  const pidOf = (program: string): number => {
    const line = stdout.split('\n').find((one) => one.includes(program));
    return Number.parseInt(line ?? assert.fail(`${program} does not run: ${stdout}`), 10);
  };
  return {
    worker: pidOf('worker/main.ts'),
    ingress: pidOf('ingress/main.ts'),
    temporal: pidOf('server start-dev'),
  };
}

/** One that has ended but was adopted by nobody who asks for it counts as gone. */
function isRunning(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() !== '' && !stdout.startsWith('Z');
}

async function connectTo(address: string) {
  const connection = await Connection.connect({ address });
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() });
}

async function makeDirectory(parent: string) {
  const path = await mkdtemp(join(parent, 'test-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function listenSomewhere() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
}
