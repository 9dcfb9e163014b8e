// Runs tests: `npm run test:only -- test/subscribe.test.ts`. What follows goes to `node --test`.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const { href: REPORTER } = new URL('test-reporter.mjs', import.meta.url);

/** At once: each has its own Temporal server, workers and ingresses. */
const FILES_AT_ONCE = 2;

const given = process.argv.slice(2);

/** Bundles of workflow code that all processes of this run share: `worker/run-bundles.ts`. */
const bundles = makeFolder();

// Ctrl-C reaches the tests too; what they have left is removed here.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
const options = [`--test-concurrency=${FILES_AT_ONCE}`];
if (!given.some((option) => option.startsWith('--test-reporter'))) {
  options.push(`--test-reporter=${REPORTER}`);
}
const child = spawn(
  process.execPath,
  ['--conditions=source', '--import', 'tsx', '--test', ...options, ...given],
  {
    stdio: 'inherit',
    // Who watches changes code while they run.
    env: { ...process.env, NEXTEVENT_TEST_BUNDLES: given.includes('--watch') ? '' : bundles },
  },
);
try {
  const [code] = await once(child, 'exit');
  process.exitCode = code ?? 1;
} finally {
  rmSync(bundles, { recursive: true, force: true, maxRetries: 5 });
}

/** On the disk of the code, so that it can be told what was written later. */
function makeFolder() {
  const parent = join(ROOT, '.nextevent');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'bundles-'));
  writeFileSync(join(folder, 'begun'), '');
  return folder;
}
