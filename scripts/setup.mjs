// Run by npm before start, dev, test and bench: makes a fresh clone ready, and costs next to
// nothing where it is. Plain Node, because nothing is installed yet.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { findTemporal, locateTemporal } from './find-temporal.mjs';

const NODE_MIN = [20, 19];
const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** What `npx nextevent` runs in a clone, which has nothing built: npm links no commands of its own. */
const COMMAND = join(ROOT, 'node_modules', '.bin', 'nextevent');
const COMMAND_TEXT = `#!/bin/sh
root=$(cd "$(dirname "$0")/../.." && pwd)
exec node --conditions=source --import "$root/node_modules/tsx/dist/loader.mjs" "$root/cli/main.ts" "$@"
`;

/** Held while something is installed; names the process that holds it. */
const LOCK = join(ROOT, '.nextevent', 'setup.lock');
const LOCK_LOOK_MS = 500;

/** An error whose message is all that there is to say. */
class SetupError extends Error {}

try {
  checkNode();
  if (!isReady()) await locked(install);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [majorMin, minorMin] = NODE_MIN;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return;
  throw new SetupError(
    `Node is ${process.versions.node}, at least ${NODE_MIN.join('.')} is needed: install a newer Node`,
  );
}

function isReady() {
  return areDependenciesInstalled() && existsSync(COMMAND) && isTemporalThere();
}

function isTemporalThere() {
  return Boolean(process.env.TEMPORAL_ADDRESS) || locateTemporal() !== undefined;
}

async function install() {
  // Another set-up may have done it while this one waited for the lock.
  if (!areDependenciesInstalled()) await installDependencies();
  writeFileSync(COMMAND, COMMAND_TEXT, { mode: 0o755 });
  if (!isTemporalThere()) await findTemporal();
}

/** Compares what npm has noted of its last installation with what is asked for. */
function areDependenciesInstalled() {
  const installed = packagesIn('node_modules/.package-lock.json');
  if (installed === undefined) return false;
  const wanted = packagesIn('package-lock.json') ?? {};
  const areThere = Object.entries(wanted).every(
    ([path, entry]) =>
      path === '' || isSame(installed[path], entry) || (!(path in installed) && isOptional(entry)),
  );
  return areThere && Object.keys(installed).every((path) => path in wanted);
}

function packagesIn(file) {
  try {
    return JSON.parse(readFileSync(join(ROOT, file), 'utf8')).packages;
  } catch {
    // Not there, or half written: it counts as not installed.
    return undefined;
  }
}

function isSame(installed, wanted) {
  return (
    installed !== undefined &&
    installed.version === wanted.version &&
    installed.integrity === wanted.integrity
  );
}

/** Left out by npm where it is for another platform. */
function isOptional(entry) {
  return entry.optional === true || entry.devOptional === true;
}

async function installDependencies() {
  process.stderr.write('installing dependencies (npm ci)\n');
  if ((await npm(['ci'], 'ignore')) === 0) return;
  // It refuses a lock file that was made where a package for another platform could not be had.
  process.stderr.write('npm ci refuses; installing dependencies (npm install)\n');
  if ((await npm(['install', '--no-save'], 'inherit')) === 0) return;
  throw new SetupError('the dependencies can not be installed: see npm above');
}

async function npm(args, stdio) {
  const script = process.env.npm_execpath;
  const [command, ...first] = script === undefined ? ['npm'] : [process.execPath, script];
  const child = spawn(command, [...first, ...args, '--include=dev', '--no-audit', '--no-fund'], {
    cwd: ROOT,
    stdio,
    shell: script === undefined && process.platform === 'win32',
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
}

async function locked(action) {
  mkdirSync(dirname(LOCK), { recursive: true });
  for (let isFirst = true; !takeLock(); isFirst = false) {
    if (isFirst) process.stderr.write('waiting for another set-up of this folder\n');
    await new Promise((resolve) => {
      setTimeout(resolve, LOCK_LOOK_MS);
    });
  }
  try {
    await action();
  } finally {
    rmSync(LOCK, { force: true });
  }
}

function takeLock() {
  try {
    writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    if (!isHeld()) rmSync(LOCK, { force: true });
    return false;
  }
}

/** Whether the process that took the lock is alive; one that was killed has left it behind. */
function isHeld() {
  try {
    const pid = Number(readFileSync(LOCK, 'utf8'));
    // Just taken, and not written yet.
    if (pid === 0) return true;
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
