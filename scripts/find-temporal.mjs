// Finds the `temporal` executable, or obtains it: by the Temporal SDK's own download, else by
// building it. Used by the set-up, before any dependency is installed, so it imports none.

import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** What is built when nothing else is to be had. */
const TEMPORAL_CLI = 'github.com/temporalio/cli/cmd/temporal@v1.5.1';

/** A download that brings nothing for this long is given up, in milliseconds. */
const DOWNLOAD_STALL_MS_MAX = 20_000;

/** The longest a build may take, in milliseconds. */
const BUILD_MS_MAX = 40 * 60_000;

const DOWNLOAD_LOOK_MS = 500;
const PROGRESS_EVERY_MS = 5_000;

/** Lines of a failed build that are shown. */
const LINES_SHOWN = 5;

const EXECUTABLE = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

const QUICKER_WAYS =
  'install the Temporal CLI (https://docs.temporal.io/cli), or set TEMPORAL_ADDRESS to a server that runs';

/** There is no server, and none can be had: the message says what to install. */
class NoTemporalError extends Error {
  name = 'NoTemporalError';
}

/** The folder in which this project keeps a `temporal` of its own, for all clones. */
export function cacheDirectory(env = process.env) {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'nextevent', 'bin');
}

/** The `temporal` on the PATH, else the one in the cache folder, else `undefined`. */
export function locateTemporal(env = process.env) {
  const directories = (env.PATH ?? '').split(delimiter).filter((directory) => directory !== '');
  return [...directories, cacheDirectory(env)]
    .map((directory) => join(directory, EXECUTABLE))
    .find(isExecutable);
}

/** The path of a `temporal` executable, which is obtained if there is none. */
export async function findTemporal({
  env = process.env,
  print = printToStderr,
  download = downloadBySdk,
} = {}) {
  return locateTemporal(env) ?? (await obtainTemporal({ env, print, download }));
}

async function obtainTemporal({ env, print, download }) {
  const destination = join(cacheDirectory(env), EXECUTABLE);
  await mkdir(cacheDirectory(env), { recursive: true });
  // In the cache folder itself, so that the last step is a rename: another set-up at the same
  // time sees all of the executable or nothing.
  const directory = await mkdtemp(join(cacheDirectory(env), 'obtaining-'));
  try {
    const obtained =
      (await download({ directory, print })) ?? (await build({ directory, env, print }));
    await rename(obtained, destination);
    return destination;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The path of what was downloaded; `undefined` where that can not be done. */
async function downloadBySdk({ directory, print }) {
  print('Temporal is not on this machine yet: trying to download it');
  const script = fileURLToPath(new URL('download-temporal.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, directory], { stdio: 'ignore' });
  const exited = exitOf(child);
  let size = 0;
  let grewAt = Date.now();
  for (;;) {
    const code = await Promise.race([exited, after(DOWNLOAD_LOOK_MS)]);
    if (code !== undefined) {
      if (code !== 0) print('it can not be downloaded here');
      return code === 0 ? await largestFile(directory) : undefined;
    }
    const now = await sizeOf(directory);
    if (now !== size) grewAt = Date.now();
    size = now;
    if (Date.now() - grewAt > DOWNLOAD_STALL_MS_MAX) {
      child.kill('SIGKILL');
      print('the download does not get on, and is given up');
    }
  }
}

async function build({ directory, env, print }) {
  const child = spawn('go', ['install', '-v', TEMPORAL_CLI], {
    env: { ...env, GOBIN: directory },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.once('spawn', () => {
    print(
      `building Temporal from source, once: this takes several minutes. Quicker: ${QUICKER_WAYS}`,
    );
  });
  const lastLines = [];
  let packages = 0;
  const startedAt = Date.now();
  // One line for each package that is fetched or compiled.
  createInterface({ input: child.stderr }).on('line', (line) => {
    packages += 1;
    lastLines.push(line);
    if (lastLines.length > LINES_SHOWN) lastLines.shift();
  });
  const progress = setInterval(() => {
    const seconds = Math.round((Date.now() - startedAt) / 1_000);
    print(`building Temporal: ${seconds} s, ${packages} packages`);
    if (Date.now() - startedAt > BUILD_MS_MAX) child.kill();
  }, PROGRESS_EVERY_MS);
  try {
    if ((await exitOf(child)) === 0) return join(directory, EXECUTABLE);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    throw new NoTemporalError(
      `Temporal can not be built, because Go is not installed: install Go (https://go.dev/dl), ${QUICKER_WAYS}`,
      { cause: error },
    );
  } finally {
    clearInterval(progress);
  }
  throw new NoTemporalError(
    [`Temporal can not be built: ${QUICKER_WAYS}. The build said:`, ...lastLines].join('\n  '),
  );
}

/** The exit code, or the signal's name; rejects if the program can not be started. */
function exitOf(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    // Not when it has exited: what it said last may still be on its way.
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
}

function after(milliseconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

async function filesOf(directory) {
  const names = await readdir(directory);
  return Promise.all(
    names.map(async (name) => {
      const path = join(directory, name);
      // A file may be renamed while it is looked at.
      const { size } = await stat(path).catch(() => ({ size: 0 }));
      return { path, size };
    }),
  );
}

async function sizeOf(directory) {
  const files = await filesOf(directory);
  return files.reduce((sum, { size }) => sum + size, 0);
}

async function largestFile(directory) {
  const files = await filesOf(directory);
  return files.toSorted((a, b) => b.size - a.size)[0]?.path;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Not there, or not for us: the next folder may have one.
    return false;
  }
}

function printToStderr(line) {
  process.stderr.write(`${line}\n`);
}
