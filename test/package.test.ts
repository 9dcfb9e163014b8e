// The package as those have it who install it: packed, installed in a folder outside of the clone,
// and used there by its command. Real npm, real processes, a real server.

import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { Client, Connection } from '@temporalio/client';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

/** From `npx nextevent init` to the first event; an eighth of it where nothing else runs. */
const FIRST_EVENT_MS_MAX = 240_000;

/** For npm and for what starts several processes, on a machine that has other things to do. */
const SLOW_MS_MAX = 240_000;

/** Set by npm for what it runs, or of the one who runs the tests: neither is for the project. */
const NOT_INHERITED =
  /^(npm_(config_local_prefix|package_|lifecycle_|command)|TEMPORAL_|NEXTEVENT_|NODE_OPTIONS$|PORT$|INIT_CWD$)/;

/** Later ones run TypeScript by themselves. */
const FOR_NODE_20 = { skip: !process.versions.node.startsWith('20.') };

const FREE_PORTS = { PORT: '0', TEMPORAL_PORT: '0', TEMPORAL_UI_PORT: '0' };

const run = promisify(execFile);

let home = '';
let project = '';
const started: Started[] = [];

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'nextevent-package-'));
  project = join(home, 'project');
  await mkdir(project);
  await execute('npm', ['pack', '--pack-destination', home], ROOT);
  const [tarball = ''] = (await readdir(home)).filter((name) => name.endsWith('.tgz'));
  const install = ['install', '--prefer-offline', '--no-audit', '--no-fund'];
  await execute('npm', [...install, join(home, tarball)], project);
});
after(async () => {
  await Promise.all(started.map((one) => one.end()));
  await rm(home, { recursive: true, force: true });
});

describe('the package', () => {
  test('has what runs, and neither sources nor tests, but for the examples', async () => {
    const names = await readdir(inProject('node_modules/nextevent'), { recursive: true });
    for (const name of ['dist/cli/main.js', 'dist/scripts/find-temporal.mjs', 'docs/filters.md']) {
      assert.ok(names.includes(name), name);
    }
    const odd = names.filter(
      (name) => /^(test|bench|dist\/(test|bench|examples))\b/.test(name) || isSource(name),
    );
    assert.deepEqual(odd, []);
  });

  test('has every file that its documentation links to', async () => {
    const folder = inProject('node_modules/nextevent');
    const names = new Set(await readdir(folder, { recursive: true }));
    const pages = [...names].filter((name) => /^docs\/[^/]+\.md$/.test(name));
    assert.ok(pages.includes('docs/guarantees.md'));
    const links = pages.map(async (page) => {
      const text = await readFile(join(folder, page), 'utf8');
      return [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, to = '']) => join('docs', to));
    });
    const missing = (await Promise.all(links)).flat().filter((link) => !names.has(link));
    assert.deepEqual(missing, []);
    for (const name of ['ARCHITECTURE.md', 'deploy/alerts.yaml']) assert.ok(names.has(name), name);
  });

  test('has entry points, and nothing beside them', async () => {
    assert.equal(
      await evaluate(`
        const { defineConfig } = await import('nextevent');
        const { createApp, createDispatcher } = await import('nextevent/ingress');
        console.log(typeof defineConfig, typeof createApp, typeof createDispatcher);`),
      'function function function',
    );
    for (const path of ['dist/config/load.js', 'dist/nextevent.js', 'cli', 'workflows']) {
      const code = await evaluate(
        `await import('nextevent/${path}').catch(({ code }) => console.log(code));`,
      );
      assert.equal(code, 'ERR_PACKAGE_PATH_NOT_EXPORTED', path);
    }
  });

  test('needs no Node built-in in workflows', async () => {
    assert.equal(await bundle('nextevent/workflow'), 'true');
    assert.match(await bundle('nextevent/ingress'), /^Webpack finished with errors/);
    await rm(inProject('entry.mjs'));
  });
});

describe('the command', () => {
  let empty = '';

  before(async () => {
    empty = join(home, 'empty');
    await mkdir(empty);
  });

  const cases: Array<[args: string[], says: RegExp]> = [
    [
      ['devv'],
      /^unknown command 'devv' \(Did you mean dev\?\); nextevent --help says what there is\n$/,
    ],
    [['dev', '--fast'], /^unknown option '--fast'; nextevent --help says what there is\n$/],
    [['init', 'a', 'b'], /^too many arguments for 'init'[^\n]+\n$/],
    [['dev'], /^there is no nextevent\.config\.ts in [^\n]+empty: write one \([^\n]+\n$/],
    [['worker'], /^there is no nextevent\.config\.ts in [^\n]+\n$/],
    [['ingress', '--config', 'none.ts'], /^there is no configuration file [^\n]+none\.ts\n$/],
  ];
  for (const [args, says] of cases) {
    test(`refuses ${args.join(' ')} in one sentence`, async () => {
      const { code, stdout, stderr } = await nextevent(args, empty);
      assert.equal(code, 1);
      assert.match(stderr, says);
      assert.equal(stdout, '');
      assert.deepEqual(await readdir(empty), [], 'nothing was made');
    });
  }

  test('says its version and what there is', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
      version: string;
    };
    assert.deepEqual(await nextevent(['--version'], empty), {
      code: 0,
      stdout: `${version}\n`,
      stderr: '',
    });
    const help = await nextevent(['--help'], empty);
    assert.equal(help.code, 0);
    for (const command of ['init', 'dev', 'worker', 'ingress']) {
      assert.match(help.stdout, new RegExp(`^ {2}${command} `, 'm'));
    }
  });

  test('init makes a folder of everything, named after it', async () => {
    const folder = join(home, 'made', 'My Project');
    const { code, stdout } = await nextevent(['init', folder], home);
    assert.equal(code, 0);
    const { name, type } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
      name: string;
      type: string;
    };
    assert.deepEqual({ name, type }, { name: 'my-project', type: 'module' });
    assert.match(stdout, /^cd "made\/My Project"\nnpm install\nnpx nextevent dev$/m);
  });

  test('init leaves what is there as it is, and says so', async () => {
    const folder = join(home, 'full');
    const own = {
      'nextevent.config.js': '// mine',
      'workflows/index.ts': '// mine',
      'package.json': '{"type":"module","devDependencies":{"nextevent":"*"}}',
      '.gitignore': 'mine',
    };
    await mkdir(join(folder, 'workflows'), { recursive: true });
    for (const [name, text] of Object.entries(own)) await writeFile(join(folder, name), text);
    const { code, stdout } = await nextevent(['init'], folder);
    assert.equal(code, 0);
    for (const [name, text] of Object.entries(own)) {
      assert.equal(await readFile(join(folder, name), 'utf8'), text);
      assert.match(
        stdout,
        new RegExp(`^kept ${name.replaceAll('.', '\\.')}, which is there already$`, 'm'),
      );
    }
    assert.match(stdout, /^wrote tsconfig\.json$/m);
    assert.match(stdout, /^npm pkg set scripts\.dev="nextevent dev" /m, 'only what is lacking');
    assert.deepEqual((await readdir(folder)).sort(), [
      '.gitignore',
      'nextevent.config.js',
      'package.json',
      'tsconfig.json',
      'workflows',
    ]);
  });

  test('init refuses a file in the place of the folder', async () => {
    await writeFile(join(home, 'file'), '');
    const { code, stderr } = await nextevent(['init', 'file'], home);
    assert.equal(code, 1);
    assert.match(stderr, /^[^\n]+ can not be written: [^\n]+\n$/);
  });
});

describe('a project of its own', () => {
  test('goes from nothing to a woken workflow, and reloads what changes', async (context) => {
    const startMs = Date.now();
    const { stdout } = await execute('npx', ['nextevent', 'init'], project);
    const [, steps = ''] = /^Next:\n\n([^]*?)npx nextevent dev\n/m.exec(stdout) ?? [];
    assert.match(steps, /^npm pkg set type=module /);
    await execute('bash', ['-ec', steps], project);
    const dev = new Started('npx', ['nextevent', 'dev']);
    const first = await postBy(await dev.curlLine());
    const elapsedMs = Date.now() - startMs;
    context.diagnostic(`from npx nextevent init to the first event: ${elapsedMs} ms`);
    assert.ok(elapsedMs < FIRST_EVENT_MS_MAX, `${elapsedMs} ms`);
    await assertWoken(dev, first);
    await assertAllEntries(dev);

    const { length } = dev.output;
    await writeFile(
      inProject('workflows/index.ts'),
      `${await readFile(inProject('workflows/index.ts'), 'utf8')}// A line more.\n`,
    );
    await until('worker and ingress are restarted', () =>
      /changed: workflows\/index\.ts; [^]*\ncurl /.test(dev.output.slice(length)),
    );
    await dev.end();
  });

  test('type-checks', async () => {
    await execute(process.execPath, [TSC, '--noEmit'], project);
    const config = inProject('nextevent.config.ts');
    const text = await readFile(config, 'utf8');
    await writeFile(config, text.replace("workflow: 'hello'", "workflow: 'hallo'"));
    const { stdout } = await nodeProgram([TSC, '--noEmit'], project);
    assert.match(stdout, /Type '"hallo"' is not assignable to type '"hello"'/);
    await writeFile(config, text);
  });

  test('runs compiled, without tsx', async () => {
    await execute(process.execPath, [TSC], project);
    const names = ['nextevent.config', 'workflows/index'];
    for (const name of names) await rm(inProject(`${name}.ts`));
    await rename(inProject('node_modules/tsx'), join(home, 'tsx'));
    const built = new Started('npm', ['start']);
    await assertWoken(built, await postBy(await built.curlLine()));
    await built.end();

    for (const name of names) await rename(inProject(`dist/${name}.js`), inProject(`${name}.js`));
    const dev = new Started('npx', ['nextevent', 'dev']);
    await assertWoken(dev, await postBy(await dev.curlLine()));
    await dev.end();
  });

  test('says in one sentence that its workflows are not compiled', FOR_NODE_20, async () => {
    await rename(inProject('workflows/index.js'), inProject('workflows/index.ts'));
    const dev = spawnIn({ cwd: project }, 'npx', ['nextevent', 'dev', '--no-reload']);
    const { code, stderr } = await ended(dev);
    assert.equal(code, 1);
    assert.match(stderr, /index\.ts is TypeScript, and the configuration is not: [^\n]+\n/);
    assert.doesNotMatch(stderr, /^ {4}at /m);
  });
});

/** The worker and the ingress by themselves, and the ingress in an application of one's own. */
async function assertAllEntries(dev: Started): Promise<void> {
  const env = { TEMPORAL_ADDRESS: dev.temporalAddress, LOG_FORMAT: 'text' };
  const worker = new Started('npx', ['nextevent', 'worker'], env);
  await worker.prints(/^worker polling task queue nextevent$/m);
  await worker.end();

  const ingress = new Started('npx', ['nextevent', 'ingress'], env);
  const url = (await ingress.prints(/^ingress listening on .*$/m)).replace(/^.* on /, '');
  await post(`${url}/webhooks/hello`);
  await ingress.end();

  await writeFile(inProject('mounted.ts'), MOUNTED);
  const mounted = new Started(
    process.execPath,
    ['--import', inProject('node_modules/tsx/dist/loader.mjs'), 'mounted.ts'],
    env,
  );
  const port = (await mounted.prints(/^port \d+$/m)).slice('port '.length);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/mine`)).text(), 'mine');
  await post(`http://127.0.0.1:${port}/webhooks/hello`);
  await mounted.end();
  // It stays, so that it is type-checked, too.
}

/** An Express application of the user's, with the ingress in it. */
const MOUNTED = `
import type { AddressInfo } from 'node:net';

import express from 'express';
import { createApp, createDispatcher, createServer, loadConfig } from 'nextevent/ingress';

const { sources, triggers } = await loadConfig();
const dispatcher = await createDispatcher({
  connectionOptions: { address: process.env.TEMPORAL_ADDRESS ?? '' },
  namespace: 'default',
  sources: [...sources.keys()],
  triggers,
});
const app = express();
app.get('/mine', (_request, response) => {
  response.send('mine');
});
app.use(createApp({ sources, dispatcher, ready: async () => [], log: () => {} }));
const server = createServer(app).listen(0, '127.0.0.1', () => {
  console.log('port', (server.address() as AddressInfo).port);
});
`;

/** The workflow that the POST started waits for the next one, and ends with it. */
async function assertWoken(
  dev: Started,
  [workflowId, curl]: [id: string, curl: string],
): Promise<void> {
  const connection = await Connection.connect({ address: dev.temporalAddress });
  try {
    const handle = new Client({ connection }).workflow.getHandle(workflowId);
    await until(`${workflowId} has subscribed`, async () => {
      const { events = [] } = await handle.fetchHistory();
      return events?.some((event) => event.markerRecordedEventAttributes);
    });
    await postBy(curl);
    assert.equal(await handle.result(), '{"hello":"world"}, then {"hello":"world"}');
  } finally {
    await connection.close();
  }
}

/** Runs the line that was printed, and gives the id of the workflow that it started. */
async function postBy(curl: string): Promise<[id: string, curl: string]> {
  const { stdout } = await run('bash', ['-c', `${curl} --silent`]);
  const { id } = JSON.parse(stdout) as { id: string };
  return [`on-hello/${id}`, curl];
}

async function post(url: string): Promise<void> {
  const { status } = await fetch(url, { method: 'POST', body: 'hello' });
  assert.equal(status, 202);
}

function inProject(path: string): string {
  return join(project, path);
}

/** What a module of the project prints, in plain Node. */
async function evaluate(module: string): Promise<string> {
  const { code, stdout, stderr } = await nodeProgram(
    ['--input-type=module', '-e', module],
    project,
  );
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

/** Bundles an entry point as workflow code: `true`, or why that is not possible. */
function bundle(entry: string): Promise<string> {
  return evaluate(`
    import { writeFileSync } from 'node:fs';
    import { bundleWorkflowCode } from '@temporalio/worker';
    writeFileSync('entry.mjs', "export * from '${entry}';");
    const logger = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };
    const workflowsPath = process.cwd() + '/entry.mjs';
    await bundleWorkflowCode({ workflowsPath, logger }).then(
      ({ code }) => console.log(code.includes('UnknownSubscriptionError')),
      (error) => console.log(error.message),
    );`);
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command, as npm has linked it. */
/** TypeScript that is no declaration, and no example. */
function isSource(name: string): boolean {
  return /(?<!\.d)\.ts$/.test(name) && !name.startsWith('examples/');
}

function nextevent(args: readonly string[], cwd: string): Promise<Ended> {
  return ended(spawnIn({ cwd }, inProject('node_modules/.bin/nextevent'), args));
}

function nodeProgram(args: readonly string[], cwd: string): Promise<Ended> {
  return ended(spawnIn({ cwd }, process.execPath, args));
}

async function execute(command: string, args: readonly string[], cwd: string): Promise<Ended> {
  const result = await ended(spawnIn({ cwd }, command, args));
  const { code, stdout, stderr } = result;
  assert.equal(code, 0, `${command} ${args.join(' ')}\n${stdout}\n${stderr}`);
  return result;
}

async function ended(child: ChildProcess): Promise<Ended> {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => (output[name] += text));
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

interface Surroundings {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

function spawnIn(
  { cwd, env }: Surroundings,
  command: string,
  args: readonly string[],
): ChildProcess {
  const inherited = Object.entries(process.env).filter(([name]) => !NOT_INHERITED.test(name));
  return spawn(command, args, {
    cwd,
    env: { ...Object.fromEntries(inherited), ...FREE_PORTS, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, to which a signal goes as from a terminal.
    detached: true,
  });
}

/** A program that runs in the project, until it is ended. */
class Started {
  output = '';
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  constructor(command: string, args: readonly string[], env: Surroundings['env'] = {}) {
    this.#child = spawnIn({ cwd: project, env }, command, args);
    this.#closed = once(this.#child, 'close');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    started.push(this);
  }

  get temporalAddress(): string {
    return /^Temporal +(127\.0\.0\.1:\d+)/m.exec(this.output)?.[1] ?? '';
  }

  async prints(pattern: RegExp): Promise<string> {
    await until(`${pattern} is printed`, () => {
      if (this.#child.exitCode !== null) throw new Error('it ended');
      return pattern.test(this.output);
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}; it printed: ${this.output}`);
    });
    return pattern.exec(this.output)?.[0] ?? '';
  }

  curlLine(): Promise<string> {
    return this.prints(/^curl .*(?=\n)/m);
  }

  /** Ends it as Ctrl-C in a terminal does, and waits until nothing that it started is left. */
  async end(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const all = await descendantsOf(pid);
    process.kill(-pid, 'SIGINT');
    await this.#closed;
    await until('all that it started has gone', async () => {
      const processes = await list();
      return !all.some((one) => processes.has(one));
    });
  }
}

async function until(
  what: string,
  condition: () => boolean | Promise<boolean | undefined>,
): Promise<void> {
  const end = Date.now() + SLOW_MS_MAX;
  while ((await condition()) !== true) {
    if (Date.now() > end) throw new Error(`not within ${SLOW_MS_MAX} ms: ${what}`);
    await sleep(50);
  }
}

async function descendantsOf(pid: number): Promise<number[]> {
  const processes = await list();
  const found = [pid];
  for (const parent of found) {
    for (const [child, its] of processes) if (its === parent) found.push(child);
  }
  return found;
}

/** The parent of every process, but for those that have ended and were not asked for yet. */
async function list(): Promise<ReadonlyMap<number, number>> {
  const { stdout } = await run('ps', ['-eo', 'pid=,ppid=,stat=']);
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const alive = rows.filter(([, , stat]) => !stat?.startsWith('Z'));
  return new Map(alive.map(([pid, parent]) => [Number(pid), Number(parent)]));
}
