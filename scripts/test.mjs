// Runs tests: `npm run test:only -- test/subscribe.test.ts`. What follows goes to `node --test`.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const REPORTER = fileURLToPath(new URL('test-reporter.mjs', import.meta.url));

/** At once: each has its own Temporal server, workers and ingresses. */
const FILES_AT_ONCE = 2;

/** Bundles of workflow code that all processes of this run share: `worker/run-bundles.ts`. */
const bundles = mkdtempSync(join(tmpdir(), 'nextevent-bundles-'));
writeFileSync(join(bundles, 'begun'), '');

// Ctrl-C reaches the tests too, and this waits for them.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
const options = [`--test-concurrency=${FILES_AT_ONCE}`, `--test-reporter=${REPORTER}`];
const child = spawn(
  process.execPath,
  ['--conditions=source', '--import', 'tsx', '--test', ...options, ...process.argv.slice(2)],
  { stdio: 'inherit', env: { ...process.env, NEXTEVENT_TEST_BUNDLES: bundles } },
);
try {
  const [code] = await once(child, 'exit');
  process.exitCode = code ?? 1;
} finally {
  rmSync(bundles, { recursive: true, force: true });
}
