// Tools that are Python programs, in an environment of their own below the cache of this user.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const REQUIREMENTS = fileURLToPath(new URL('requirements.txt', import.meta.url));

/** How long it may take to obtain them, in milliseconds. */
const INSTALL_MS_MAX = 9 * 60_000;

/** How much a tool may print. */
const PRINTED_BYTES_MAX = 64 * 1024 * 1024;

const run = promisify(execFile);

/**
 * The directory of the tools that `requirements.txt` names, installed if they are not there yet.
 *
 * @throws Error if there is no Python, or they can not be installed
 */
export async function installPythonTools(): Promise<string> {
  const wanted = await readFile(REQUIREMENTS);
  const hash = createHash('sha256').update(wanted).digest('hex').slice(0, 12);
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const directory = join(cache, 'nextevent', `python-${hash}`);
  const done = join(directory, 'installed.txt');
  if (existsSync(done)) return join(directory, 'bin');
  await rm(directory, { recursive: true, force: true });
  await run('python3', ['-m', 'venv', directory]);
  const pip = ['-m', 'pip', 'install', '--quiet', '--requirement', REQUIREMENTS];
  await run(join(directory, 'bin', 'python'), pip, { timeout: INSTALL_MS_MAX });
  const { stdout } = await run(join(directory, 'bin', 'python'), ['-m', 'pip', 'freeze']);
  await writeFile(done, stdout);
  return join(directory, 'bin');
}

/** What a tool prints, whether it succeeds or not. It may write what it likes into `cwd`. */
export async function runTool(
  program: string,
  args: readonly string[],
  cwd: string,
): Promise<{ readonly code: number; readonly printed: string }> {
  return new Promise((resolve) => {
    execFile(program, args, { cwd, maxBuffer: PRINTED_BYTES_MAX }, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code ?? 1);
      resolve({ code, printed: stdout + stderr });
    });
  });
}
