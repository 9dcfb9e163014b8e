// `nextevent send`: the command as it is run, against an ingress that only records.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { loadConfig } from '../config/load.ts';
import type { Event } from '../events/event.ts';
import { createApp, createServer } from '../ingress/app.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);

const folder = await mkdtemp(join(tmpdir(), 'nextevent-send-'));
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const hex = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex');

const configFile = await write(
  'nextevent.config.ts',
  `import { defineConfig, discord, env, github, stripe, webhook } from '${ROOT}nextevent.ts';
   export default defineConfig({
     workflowsPath: './none.ts',
     sources: {
       code: github({ secret: env('NEXTEVENT_TEST_SEND') }),
       money: stripe({ secret: 'whsec_test' }),
       chat: discord({ publicKey: '${hex}' }),
       open: webhook({ verify: 'none' }),
       off: github({ secret: env('NEXTEVENT_TEST_UNSET') }),
     },
   });`,
);

process.env.NEXTEVENT_TEST_SEND = 'a secret';
const { sources } = await loadConfig(configFile);
let events: Event[] = [];
const app = createApp({
  sources,
  dispatcher: {
    async dispatch(event) {
      events.push(event);
      return { started: [], signalled: 0, unmatched: 0, queued: false };
    },
    answer: async () => ({ kind: 'none' }),
  },
  ready: async () => [],
  log: () => {},
});
const server = createServer(app).listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

beforeEach(() => {
  events = [];
});
after(async () => {
  server.close();
  server.closeAllConnections();
  await rm(folder, { recursive: true });
});

describe('nextevent send', () => {
  test('sends a sample that is new each time, and prints the answer', async () => {
    for (let count = 0; count < 2; count += 1) {
      const { code, stdout } = await nextevent('code', 'pull_request.opened');
      assert.equal(code, 0);
      assert.match(stdout, /^202 \{"id":"[0-9a-f-]{36}","started":\[\],"signalled":0\}\n$/);
    }
    const [first, second] = events;
    assert.equal(first?.type, 'pull_request');
    assert.equal((first.data as { action: string }).action, 'opened');
    assert.notEqual(first.id, second?.id);
  });

  test('sends the first sample, with the id that was asked for', async () => {
    const { stdout } = await nextevent('money', '--id', 'evt_1');
    assert.match(stdout, /^202 \{"id":"evt_1"/);
    assert.equal(events[0]?.type, 'payment_intent.succeeded');
  });

  test('sends a file, as the type that it is called or that is asked for', async () => {
    const push = { ref: 'refs/heads/main', before: 'a', after: 'b', commits: [] };
    const file = await write('push.json', JSON.stringify(push));
    assert.match((await nextevent('code', file)).stdout, /^202 /);
    assert.match((await nextevent('code', file, '--type', 'custom')).stdout, /^202 /);
    assert.deepEqual(
      events.map(({ type, data }) => [type, data]),
      [
        ['push', push],
        ['custom', push],
      ],
    );
  });

  test('signs with a private key that is at hand', async () => {
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    const file = await write('key.pem', pem);
    const { stdout } = await nextevent('chat', 'application_command', '--private-key', file);
    assert.match(stdout, /^200 \{"type":5\}\n$/);
  });

  test('lists the samples, of one source or of all', async () => {
    assert.match((await nextevent('code', '--list')).stdout, /^code pull_request\.opened$/m);
    const { stdout } = await nextevent('--list');
    for (const line of ['code push', 'money invoice.paid', 'open hello']) {
      assert.match(stdout, new RegExp(`^${line.replace('.', '\\.')}$`, 'm'));
    }
    assert.deepEqual(events, []);
  });

  const refusals: Array<[args: string[], says: RegExp]> = [
    [[], /^say to which source: /],
    [['none'], /^source "none" not found; there are "code", "money"/],
    [['off'], /^off is off: NEXTEVENT_TEST_UNSET is not set\n$/],
    [['money', 'nothing'], /^"nothing" is neither a file nor a sample of stripe: there are pay/],
    [['chat'], /^discord has the public key alone: give a private key to sign with\n$/],
    [['open', '--url', 'http://127.0.0.1:1'], /^no ingress answers at http:\/\/127\.0\.0\.1:1: /],
  ];
  for (const [args, says] of refusals) {
    test(`${args.join(' ') || 'nothing'} is refused in one sentence`, async () => {
      const { code, stderr } = await nextevent(...args);
      assert.equal(code, 1);
      assert.match(stderr, says);
      assert.equal(stderr.trim().split('\n').length, 1);
      assert.deepEqual(events, []);
    });
  }

  test('ends with an error if the event is refused', async () => {
    const file = await write('issues.json', '{}');
    const { code, stdout } = await nextevent('code', file);
    assert.equal(code, 1);
    assert.match(stdout, /^400 .*"reason":"PARSE"/);
  });
});

async function write(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

async function nextevent(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const command = ['--conditions=source', '--import', 'tsx', join(ROOT, 'cli', 'main.ts'), 'send'];
  const env = { ...process.env, PORT: String(port) };
  try {
    const { stdout, stderr } = await run(
      process.execPath,
      [...command, ...args, '--config', configFile],
      { env, cwd: ROOT },
    );
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}
