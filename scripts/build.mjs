// Builds what the package ships: `dist` from nothing, so that no file of an earlier build is in it.

import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const DIST = join(ROOT, 'dist');
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

/** Plain JavaScript that the compiler does not copy, and that the built code runs. */
const SCRIPTS = ['find-temporal.mjs', 'find-temporal.d.mts', 'download-temporal.mjs'];

rmSync(DIST, { recursive: true, force: true });
const { status, error } = spawnSync(process.execPath, [TSC, '-p', 'tsconfig.build.json'], {
  cwd: ROOT,
  stdio: 'inherit',
});
if (error !== undefined) throw error;
if (status === 0) {
  mkdirSync(join(DIST, 'scripts'));
  for (const name of SCRIPTS) cpSync(join(ROOT, 'scripts', name), join(DIST, 'scripts', name));
  // npm does it for those who install the package; this is for those who link to it.
  chmodSync(join(DIST, 'cli', 'main.js'), 0o755);
}
process.exitCode = status ?? 1;
