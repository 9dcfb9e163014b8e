// API keys: how they are made and kept, by the command, and what an ingress process makes of them.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { createApiKey, hashKey, idOfKey, loadApiKeys, saveApiKeys } from '../config/api-keys.ts';
import { resolveConfig } from '../config/config.ts';
import { published } from '../nextevent.ts';
import { startProcess, startServer, type TestServer } from './harness.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CLI = join(ROOT, 'cli', 'main.ts');
const TSX = ['--conditions=source', '--import', import.meta.resolve('tsx')];

const KEY = /^ne_([a-z0-9]{12})_[A-Za-z0-9_-]{43}$/;

const run = promisify(execFile);

let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nextevent-keys-'));
});
after(() => rm(directory, { recursive: true }));

describe('A key', () => {
  test('is random, names its id, and is kept as its hash', () => {
    const { key, entry } = createApiKey({ name: 'ci', role: 'publisher', sources: ['orders'] });
    const again = createApiKey({ name: 'ci', role: 'publisher', sources: ['orders'] });
    const [, id] = KEY.exec(key) ?? [];
    assert.equal(entry.id, id);
    assert.equal(idOfKey(key), id);
    assert.equal(entry.hash, hashKey(key));
    assert.notEqual(again.key, key);
    assert.ok(!JSON.stringify(entry).includes(key.slice(17)));
  });

  const refused: Array<[what: string, options: Parameters<typeof createApiKey>[0], why: RegExp]> = [
    [
      'of a publisher without sources',
      { name: 'a', role: 'publisher' },
      /needs at least one source/,
    ],
    [
      'of a reader with sources',
      { name: 'a', role: 'reader', sources: ['orders'] },
      /a key of role reader has no sources/,
    ],
    ['without a name', { name: ' ', role: 'admin' }, /name: is empty/],
  ];
  for (const [what, options, why] of refused) {
    test(`${what} is refused`, () => {
      assert.throws(() => createApiKey(options), why);
    });
  }
});

describe('The file of keys', () => {
  const { entry } = createApiKey({ name: 'ci', role: 'reader' });

  test('gives back what was saved, and may be missing', () => {
    const file = join(directory, 'saved.json');
    assert.deepEqual(loadApiKeys(file), []);
    saveApiKeys([entry], file);
    assert.deepEqual(loadApiKeys(file), [entry]);
  });

  const wrong: Array<[what: string, text: string, why: RegExp]> = [
    ['that is no JSON', '[', /^keys\.json is not JSON$/],
    ['that is no list', '{}', /^keys\.json: Invalid input: expected array/],
    ['with a role that is none', changed({ role: 'root' }), /^keys\.json: 0: role: /],
    ['with a hash that is none', changed({ hash: 'secret' }), /0: hash: must be 64 hexadecimal/],
    ['with an id that is none', changed({ id: 'x' }), /0: id: must be 12 lower-case/],
    ['with something more', changed({ key: 'secret' }), /0: .*key/],
    ['with a publisher without sources', changed({ role: 'publisher' }), /0: sources: a publisher/],
    ['with a key twice', JSON.stringify([entry, entry]), /two keys have the same id/],
  ];
  for (const [what, text, why] of wrong) {
    test(`${what} is refused, and says where`, async () => {
      const file = join(directory, 'keys.json');
      await writeFile(file, text);
      assert.throws(() => loadApiKeys(file), { name: 'ConfigError', message: why });
    });
  }

  function changed(change: object): string {
    return JSON.stringify([{ ...entry, ...change }]);
  }
});

describe('Rate limits in the configuration', () => {
  const options = { workflowsPath: 'w', sources: { orders: published() } };

  test('are kept', () => {
    const rateLimits = { perSource: 600, perKey: 60 };
    assert.deepEqual(resolveConfig({ ...options, rateLimits }, '/').rateLimits, rateLimits);
    assert.equal(resolveConfig(options, '/').rateLimits, undefined);
  });

  for (const rateLimits of [{ perSource: 0 }, { perKey: 1.5 }, { perMinute: 1 }, 'many']) {
    test(`such as ${JSON.stringify(rateLimits)} are refused`, () => {
      assert.throws(() => resolveConfig({ ...options, rateLimits }, '/'), {
        name: 'ConfigError',
        message: /^rateLimits/,
      });
    });
  }

  test('and origins that are no DNS names, too', () => {
    const allowedOrigins = ['https://shop.example.com'];
    assert.throws(() => published({ allowedOrigins }), /which is no DNS name/);
  });
});

describe('npx nextevent key', () => {
  test('makes, lists and revokes keys', async () => {
    const file = join(directory, 'command.json');
    const config = join(directory, 'nextevent.config.mjs');
    await writeFile(config, 'export default {};');
    const key = (...args: string[]) =>
      run(process.execPath, [...TSX, CLI, 'key', ...args, '--config', config], {
        env: { ...process.env, NEXTEVENT_KEYS: file },
      });
    assert.equal((await key('list')).stdout, 'there are no keys\n');
    const create = ['create', '--name', 'ci', '--role', 'publisher'];
    const { stdout, stderr } = await key(...create, '--sources', 'orders, payments');
    assert.match(stdout.trim(), KEY);
    assert.match(stderr, /command\.json; start the ingress again/);
    const [entry] = loadApiKeys(file);
    assert.equal(entry?.hash, hashKey(stdout.trim()));
    assert.deepEqual(entry?.sources, ['orders', 'payments']);
    assert.ok(!(await readFile(file, 'utf8')).includes(stdout.trim().slice(17)));
    await key('create', '--name', 'dashboard', '--role', 'reader');
    const { stdout: listed } = await key('list');
    assert.match(
      listed,
      /^\w{12}  publisher  \S+  ci  orders,payments\n\w{12}  reader {5}\S+  dashboard$/m,
    );
    assert.match((await key('revoke', entry?.id ?? '')).stdout, /is revoked/);
    assert.deepEqual(
      loadApiKeys(file).map(({ name }) => name),
      ['dashboard'],
    );
    const refused: Array<[args: string[], why: RegExp]> = [
      [create, /a publisher needs at least one source/],
      [['create', '--name', 'x', '--role', 'root'], /role.*publisher, reader, admin/],
      [['create', '--name', 'x'], /role.*not specified/],
      [['revoke', 'no-such'], /^there is no key no-such$/m],
    ];
    for (const [args, why] of refused) {
      const failed = (await key(...args).catch((error: unknown) => error)) as { stderr: string };
      assert.match(failed.stderr, why);
      assert.equal(failed.stderr.trim().split('\n').length, 1, failed.stderr);
    }
  });
});

describe('An ingress process', () => {
  const publisher = createApiKey({ name: 'shop', role: 'publisher', sources: ['orders'] });
  const reader = createApiKey({ name: 'dashboard', role: 'reader' });
  const config = fileURLToPath(new URL('published.config.ts', import.meta.url));
  let server: TestServer;
  let env: Record<string, string> = {};
  before(async () => {
    server = await startServer();
    const file = join(directory, 'process.json');
    saveApiKeys([publisher.entry, reader.entry], file);
    env = { TEMPORAL_ADDRESS: server.address, NEXTEVENT_CONFIG: config, NEXTEVENT_KEYS: file };
  });
  after(() => server.stop());

  test('takes what was published with a key, and tells operators who have one', async () => {
    const worker = await startProcess('worker', env);
    const ingress = await startProcess('ingress', { ...env, MANAGEMENT_HOST: '0.0.0.0' });
    try {
      const publish = (key: string) =>
        fetch(`${ingress.url}/events/orders`, {
          method: 'POST',
          headers: {
            'content-type': 'application/cloudevents+json',
            authorization: `Bearer ${key}`,
          },
          body: JSON.stringify({ specversion: '1.0', id: '1', source: '/shop', type: 'paid' }),
        });
      assert.equal((await publish(publisher.key)).status, 202);
      assert.equal((await publish(reader.key)).status, 403);
      const url = `http://127.0.0.1:${ingress.managementPort}`;
      assert.equal((await fetch(`${url}/api/v1/sources`)).status, 401);
      const subscriptions = (key: string) =>
        run(process.execPath, [...TSX, CLI, 'subscriptions', '--url', url], {
          env: { ...process.env, NEXTEVENT_API_KEY: key },
        });
      assert.equal((await subscriptions(reader.key)).stdout, 'nobody waits for anything\n');
      const refused = (await subscriptions('').catch((error: unknown) => error)) as {
        stderr: string;
      };
      assert.match(refused.stderr, /answers 401: send an API key/);
    } finally {
      await ingress.kill();
      await worker.kill();
    }
  });

  const starts: Array<[what: string, env: Record<string, string>, why: RegExp]> = [
    [
      'is open to other machines without a key',
      { NEXTEVENT_KEYS: '', MANAGEMENT_HOST: '0.0.0.0' },
      /^MANAGEMENT_HOST is 0\.0\.0\.0, and the management API has no keys: .*key create/m,
    ],
    [
      'is to have keys that are not there',
      { NEXTEVENT_KEYS: '/no/such/keys.json' },
      /^NEXTEVENT_KEYS is \/no\/such\/keys\.json, which is not there$/m,
    ],
  ];
  for (const [what, more, why] of starts) {
    test(`that ${what} does not start`, async () => {
      const child = spawn(process.execPath, [...TSX, join(ROOT, 'ingress', 'main.ts')], {
        env: { ...process.env, PORT: '0', ...env, ...more },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let printed = '';
      child.stderr.on('data', (chunk: Buffer) => (printed += String(chunk)));
      const [code] = (await once(child, 'close')) as [number];
      assert.equal(code, 1);
      assert.match(printed, why);
    });
  }
});
