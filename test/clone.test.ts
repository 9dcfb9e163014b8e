// A clone of this repository: `npm start` and what the first screen of the README says, as a new
// user does it, with nothing in the environment.

import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { Client, Connection } from '@temporalio/client';

import { until as untilWithin } from '../testing/until.ts';
import { subscriptionsQuery } from '../workflows/messages.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What is not of the repository, and what a user does not start. */
const NOT_COPIED = new Set(['.git', '.nextevent', 'dist', 'node_modules', 'test']);

/** Whatever the machine needs to run npm, and ports that are free. */
const { PATH, HOME, XDG_CACHE_HOME } = process.env;
const ENV = { PATH, HOME, XDG_CACHE_HOME, PORT: '0', TEMPORAL_PORT: '0', TEMPORAL_UI_PORT: '0' };

/** Long enough for a loaded machine. */
const UNTIL_MS_MAX = 240_000;

const run = promisify(execFile);

describe('npm start in a clone', () => {
  let clone = '';
  let npm: ChildProcess;
  let output = '';
  let exited: Promise<unknown>;

  before(async () => {
    clone = await mkdtemp(join(tmpdir(), 'nextevent-clone-'));
    await cp(ROOT, clone, {
      recursive: true,
      filter: (path) => !NOT_COPIED.has(relative(ROOT, path)),
    });
    await symlink(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
    // A group of its own, as a terminal makes one.
    npm = spawn('npm', ['start'], {
      cwd: clone,
      env: ENV,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    exited = once(npm, 'close');
    for (const stream of [npm.stdout, npm.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
  });

  after(async () => {
    interrupt();
    await exited;
    await rm(clone, { recursive: true, force: true });
  });

  test('starts a workflow by the first request, and wakes it by the second', async () => {
    const curl = await printed(/^curl .*(?=\n)/m);
    const [, address = ''] = /^Temporal +(\S+:\d+)/m.exec(output) ?? [];
    const connection = await Connection.connect({ address });
    try {
      const { id } = await post(curl);
      const hello = new Client({ connection }).workflow.getHandle(`on-hello/${id}`);
      await until('it waits', async () => {
        const held = await hello.query(subscriptionsQuery).catch(() => []);
        return held.length === 1;
      });
      await post(curl);
      assert.equal(await hello.result(), '{"hello":"world"}, then {"hello":"world"}');
      await printed(/^hello post -> started on-hello\//m);
      await printed(/^hello post -> started on-hello\/\S+, (woke 1|queued)/m);
    } finally {
      await connection.close();
    }
  });

  test('serves the Temporal UI, and writes what there is beside a log', async () => {
    const ui = await printed(/(?<=^Temporal UI +)http:\S+/m);
    assert.equal((await fetch(ui)).status, 200);
    assert.ok(existsSync(join(clone, '.nextevent', 'temporal.db-wal')));
  });

  test('ends all that it started on Ctrl-C, which a terminal sends to all of them', async () => {
    const programs = await descendantsOf(npm.pid ?? 0);
    for (const name of [/server start-dev/, /worker\/main\.ts/, /ingress\/main\.ts/]) {
      assert.ok(
        programs.some(({ args }) => name.test(args)),
        `${name} runs`,
      );
    }
    interrupt();
    await exited;
    await until('all has ended', async () => {
      const running = new Set((await processes()).map(({ pid }) => pid));
      return !programs.some(({ pid }) => running.has(pid));
    });
  });

  function interrupt(): void {
    if (npm.exitCode === null && npm.signalCode === null) process.kill(-(npm.pid ?? 0), 'SIGINT');
  }

  function printed(pattern: RegExp): Promise<string> {
    return until(`${pattern} is printed`, () => {
      assert.equal(npm.exitCode, null, output);
      return pattern.exec(output)?.[0];
    });
  }
});

/** By the line that was printed, exactly as it is. */
async function post(curl: string): Promise<{ readonly id: string }> {
  return until('it is accepted', async () => {
    const { stdout } = await run('bash', ['-c', curl]);
    const answer = JSON.parse(stdout) as { readonly id?: string };
    return answer.id === undefined ? undefined : { id: answer.id };
  });
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly args: string;
}

/** Those that have ended, but were adopted by nobody who asks for it, are not among them. */
async function processes(): Promise<readonly Process[]> {
  const { stdout } = await run('ps', ['-eo', 'pid=,ppid=,stat=,args=']);
  return stdout.split('\n').flatMap((line) => {
    const [, pid, parent, stat = '', args = ''] = /^ *(\d+) +(\d+) +(\S+) (.*)/.exec(line) ?? [];
    const isThere = pid !== undefined && !stat.startsWith('Z');
    return isThere ? [{ pid: Number(pid), parent: Number(parent), args }] : [];
  });
}

async function descendantsOf(pid: number): Promise<readonly Process[]> {
  const all = await processes();
  const found = all.filter(({ parent }) => parent === pid);
  // Grows while it is gone through.
  for (const one of found) found.push(...all.filter(({ parent }) => parent === one.pid));
  return found;
}

function until<T>(
  what: string,
  look: () => Promise<T | false | undefined> | T | false | undefined,
): Promise<T> {
  return untilWithin(what, look, { timeoutMs: UNTIL_MS_MAX });
}
