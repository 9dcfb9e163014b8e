// How the set-up comes to a `temporal` executable: it finds, downloads or builds one.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { findTemporal, locateTemporal } from '../scripts/find-temporal.mjs';

describe('findTemporal', () => {
  let home = '';
  const inHome = (...path: string[]): string => join(home, ...path);

  /** Finds it with a program in place of `go`, and a cache folder of its own. */
  const findWith = async (go: string, onPrint: (line: string) => void = () => {}) => {
    const [cache, path] = [inHome(`cache-${randomUUID()}`), inHome(`go-${randomUUID()}`)];
    await makeExecutable(join(path, 'go'), go);
    const printed: string[] = [];
    const finding = findTemporal({
      env: { XDG_CACHE_HOME: cache, PATH: path },
      print(line) {
        printed.push(line);
        onPrint(line);
      },
      download: () => Promise.resolve(undefined),
    });
    return { finding, printed, directory: join(cache, 'nextevent', 'bin') };
  };

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'nextevent-find-'));
    await makeExecutable(inHome('path-1', 'temporal'));
    await makeExecutable(inHome('path-2', 'temporal'));
    await makeExecutable(inHome('.cache', 'nextevent', 'bin', 'temporal'));
    await makeExecutable(inHome('xdg', 'nextevent', 'bin', 'temporal'));
    await mkdir(inHome('folder', 'temporal'), { recursive: true });
    await mkdir(inHome('text'));
    await writeFile(inHome('text', 'temporal'), 'not a program');
  });
  after(() => rm(home, { recursive: true }));

  const cases: Array<[what: string, path: string[], env: object, found: string[] | undefined]> = [
    ['the first on the PATH', ['path-1', 'path-2'], {}, ['path-1', 'temporal']],
    ['the PATH before the cache', ['none', 'path-2'], {}, ['path-2', 'temporal']],
    ['no folder, no text', ['folder', 'text', 'path-2'], {}, ['path-2', 'temporal']],
    ['the cache', ['none'], {}, ['.cache', 'nextevent', 'bin', 'temporal']],
    ['the cache without a PATH', [], {}, ['.cache', 'nextevent', 'bin', 'temporal']],
    ['XDG_CACHE_HOME', [], { XDG_CACHE_HOME: 'xdg' }, ['xdg', 'nextevent', 'bin', 'temporal']],
    ['nothing', ['none'], { XDG_CACHE_HOME: 'none' }, undefined],
  ];
  for (const [what, path, env, found] of cases) {
    test(`finds ${what}`, () => {
      const given = Object.entries(env).map(([name, value]) => [name, inHome(String(value))]);
      const located = locateTemporal({
        HOME: home,
        PATH: path.map((folder) => inHome(folder)).join(':'),
        ...Object.fromEntries(given),
      });
      assert.equal(located, found === undefined ? undefined : inHome(...found));
    });
  }

  test('keeps what it could download', async () => {
    const printed: string[] = [];
    const found = await findTemporal({
      env: { XDG_CACHE_HOME: inHome('downloaded'), PATH: '' },
      print: (line) => printed.push(line),
      async download({ directory }) {
        await makeExecutable(join(directory, 'temporal-sdk-typescript'));
        return join(directory, 'temporal-sdk-typescript');
      },
    });
    const directory = inHome('downloaded', 'nextevent', 'bin');
    assert.equal(found, join(directory, 'temporal'));
    assert.deepEqual(await readdir(directory), ['temporal'], 'no traces of how it came there');
  });

  describe('where nothing can be downloaded', () => {
    const QUICKER =
      'install the Temporal CLI (https://docs.temporal.io/cli), or set TEMPORAL_ADDRESS to a server that runs';
    const START = `building Temporal from source, once: this takes several minutes. Quicker: ${QUICKER}`;

    test('builds it, and says what is quicker and how far it is', async () => {
      const shown = inHome('progress-is-shown');
      const { finding, printed, directory } = await findWith(
        `PATH=/bin:/usr/bin
        echo 'go: downloading one' >&2
        echo 'two' >&2
        looks=0
        until [ -e '${shown}' ] || [ $((looks += 1)) -gt 600 ]; do sleep 0.1; done
        echo "$@" > "$GOBIN/temporal"
        chmod +x "$GOBIN/temporal"`,
        (line) => {
          if (/^building Temporal: \d+ s, 2 packages$/.test(line)) writeFileSync(shown, '');
        },
      );
      assert.equal(await finding, join(directory, 'temporal'));
      assert.match(
        await readFile(join(directory, 'temporal'), 'utf8'),
        /^install -v github\.com\/temporalio\/cli\/cmd\/temporal@v\d+\.\d+\.\d+\n$/,
      );
      assert.deepEqual(await readdir(directory), ['temporal'], 'no traces of how it came there');
      assert.equal(printed[0], START);
      assert.match(printed.at(-1) ?? '', /^building Temporal: \d+ s, 2 packages$/);
    });

    test('says what the build said last when it fails, and what is quicker', async () => {
      const { finding, printed, directory } = await findWith(
        `for line in one two three four five six; do echo "$line" >&2; done
        exit 1`,
      );
      await assert.rejects(finding, {
        message: `Temporal can not be built: ${QUICKER}. The build said:\n  two\n  three\n  four\n  five\n  six`,
      });
      assert.equal(printed[0], START);
      assert.deepEqual(await readdir(directory), [], 'nothing is left of it');
    });

    test('says what to install when there is no Go either', async () => {
      const printed: string[] = [];
      const finding = findTemporal({
        env: { XDG_CACHE_HOME: inHome('empty'), PATH: '' },
        print: (line) => printed.push(line),
        download: () => Promise.resolve(undefined),
      });
      await assert.rejects(finding, {
        name: 'NoTemporalError',
        message: `Temporal can not be built, because Go is not installed: install Go (https://go.dev/dl), ${QUICKER}`,
      });
      assert.deepEqual(printed, [], 'nothing of a build that can not begin');
    });
  });
});

async function makeExecutable(path: string, script = ''): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
}
