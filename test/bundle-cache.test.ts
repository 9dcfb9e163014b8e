// A bundle is made again if, and only if, something that it is made of has changed.

import assert from 'node:assert/strict';
import {
  mkdir,
  mkdtemp,
  readdir,
  realpath,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { bundleWorkflowCode, type BundleOptions } from '@temporalio/worker';

import { until } from '../testing/until.ts';
import { bundleOnce, CLOCK_MS } from '../worker/bundle-cache.ts';

const PACKAGES = fileURLToPath(new URL('../node_modules/@temporalio', import.meta.url));
const QUIET = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };
const LONG_AGO = new Date('2020-01-01');

/** How many bundles are kept. */
const BUNDLES_MAX = 24;

let folder: string;
let made: number;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'nextevent-bundles-')));
  made = 0;
  await mkdir(join(folder, 'node_modules'));
  await symlink(PACKAGES, join(folder, 'node_modules/@temporalio'));
  await write('index.ts', `export { one } from './one.ts';`);
  await write('one.ts', `export async function one() { return 'first'; }`);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('A bundle', () => {
  test('is made once, also for another process', async () => {
    const first = await bundle();
    assert.match(first, /'first'/);
    assert.equal(await bundle(), first);
    assert.equal(made, 1);
  });

  test('is made again when a file has changed that it is made of', async () => {
    await bundle();
    await write('one.ts', `export async function one() { return 'second'; }`);
    const second = await bundle();
    assert.match(second, /'second'/);
    assert.doesNotMatch(second, /'first'/);
    assert.equal(await bundle(), second);
    assert.equal(made, 2);
  });

  test('... also if the file is as long and as old as before', async () => {
    await bundle();
    await write('one.ts', `export async function one() { return 'other'; }`);
    assert.match(await bundle(), /'other'/);
  });

  test('... or a file has come that a name could mean, or has gone', async () => {
    await bundle();
    await write('one.ts.js', '');
    await bundle();
    assert.equal(made, 2);
    await write('index.ts', `export async function one() { return 'here'; }`);
    await rm(join(folder, 'one.ts'));
    assert.match(await bundle(), /'here'/);
  });

  test('... but not for a file of another folder', async () => {
    await mkdir(join(folder, 'other'));
    await bundle();
    await write('other/two.ts', '');
    await bundle();
    assert.equal(made, 1);
  });

  test('of other options is another one', async () => {
    await write(
      'interceptors.ts',
      `export const interceptors = () => ({ inbound: [], name: 'mine' });`,
    );
    await bundle();
    const module = join(folder, 'interceptors.ts');
    assert.match(await bundle({ workflowInterceptorModules: [module] }), /name: 'mine'/);
    assert.doesNotMatch(await bundle(), /name: 'mine'/);
    assert.equal(made, 2);
  });

  test('is not kept if a file has changed while it was made', async () => {
    await bundle({}, () => writeFile(join(folder, 'one.ts'), `export const one = 'now';`));
    assert.match(await bundle(), /'now'/);
    assert.equal(made, 2);
  });

  test('is made anew if the one that is kept is damaged', async () => {
    const first = await bundle();
    const [name = ''] = await readdir(cache());
    await writeFile(join(cache(), name), '{"ingredients":');
    assert.equal(await bundle(), first);
    assert.equal(made, 2);
  });

  test('is made where none can be kept', async () => {
    await writeFile(join(folder, 'node_modules/.cache'), 'no folder');
    assert.match(await bundle(), /'first'/);
    assert.match(await bundle(), /'first'/);
    assert.equal(made, 2);
  });

  test(`is kept in place of the one that was used longest ago, if there are ${BUNDLES_MAX}`, async () => {
    await mkdir(cache(), { recursive: true });
    const names = Array.from({ length: BUNDLES_MAX }, (_, index) => `${index}.json`);
    for (const [index, name] of names.entries()) {
      await writeFile(join(cache(), name), '{}');
      const at = new Date(LONG_AGO.getTime() + index * 1_000);
      await utimes(join(cache(), name), at, at);
    }
    await bundle();
    const left = await readdir(cache());
    assert.equal(left.length, BUNDLES_MAX);
    assert.ok(!left.includes('0.json') && left.includes('1.json'), left.join());
    await bundle();
    assert.equal(made, 1);
  });
});

/** Writes a file, and waits until it can not be taken for one that has changed meanwhile. */
async function write(name: string, content: string): Promise<void> {
  const path = join(folder, name);
  await writeFile(path, content);
  await utimes(path, LONG_AGO, LONG_AGO);
  const { ctimeMs } = await stat(path);
  await until(`${name} is old enough`, () => Date.now() > ctimeMs + CLOCK_MS);
}

async function bundle(
  options: Partial<BundleOptions> = {},
  meanwhile: () => Promise<void> = async () => {},
): Promise<string> {
  const { code } = await bundleOnce(
    { workflowsPath: join(folder, 'index.ts'), ...options },
    async (noted) => {
      made += 1;
      const bundled = await bundleWorkflowCode({ ...noted, logger: QUIET });
      await meanwhile();
      return bundled;
    },
  );
  return code;
}

function cache(): string {
  return join(folder, 'node_modules/.cache/nextevent');
}
