// Commands that are told what can not be: one sentence, and no stack.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const COMMAND = ['--conditions=source', '--import', 'tsx', join(ROOT, 'cli', 'main.ts')];
const run = promisify(execFile);

describe('An address without its scheme, or of another', () => {
  const commands: ReadonlyArray<readonly string[]> = [
    ['subscriptions'],
    ['rejections'],
    ['listener', 'list'],
    ['listener', 'remove', 'crm'],
    ['delivery', 'list', 'crm'],
    ['send', 'hello'],
  ];
  for (const command of commands) {
    test(`is refused by ${command.join(' ')}, before it is asked`, async () => {
      assert.equal(
        await refusedAs([...command, '--url', 'localhost:9088']),
        '--url is "localhost:9088", must be such as http://127.0.0.1:9088\n',
      );
    });
  }

  for (const url of ['127.0.0.1:9088', '', 'ftp://localhost:9088', 'http://']) {
    test(`is refused: ${JSON.stringify(url)}`, async () => {
      assert.match(await refusedAs(['subscriptions', '--url', url]), /^--url is "[^\n]*\n$/);
    });
  }

  test('is not one with a path, or in capital letters', async () => {
    for (const url of ['http://127.0.0.1:9/api/v1', 'HTTPS://127.0.0.1:9']) {
      assert.match(await refusedAs(['subscriptions', '--url', url]), /^no ingress answers at /);
    }
  });
});

describe('TRUST_PROXY', () => {
  for (const value of ['true', 'proxy.internal', '10.0.0.0/99', '10.0.0.1, no']) {
    test(`is refused in one sentence: ${value}`, async () => {
      const config = join(ROOT, 'nextevent.config.ts');
      const said = await refusedAs(['ingress', '--config', config], { TRUST_PROXY: value });
      assert.equal(
        said,
        `TRUST_PROXY is "${value}", must be a number of proxies, or their addresses, such as 10.0.0.0/8\n`,
      );
    });
  }

  for (const value of ['2', 'loopback, 10.0.0.0/8', '::1']) {
    test(`is taken: ${value}`, async () => {
      const config = join(ROOT, 'nextevent.config.ts');
      const env = { TRUST_PROXY: value, TEMPORAL_ADDRESS: '127.0.0.1:9' };
      assert.match(await refusedAs(['ingress', '--config', config], env), /^Temporal at 127/);
    });
  }
});

/** What it says on standard error as it ends. */
async function refusedAs(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const options = { cwd: ROOT, env: { ...process.env, PORT: '0', ...env } };
  const ended = await run(process.execPath, [...COMMAND, ...args], options).catch(
    (error: unknown) => error,
  );
  const { code, stderr } = ended as { readonly code?: number; readonly stderr: string };
  assert.equal(code, 1, stderr);
  return stderr;
}
