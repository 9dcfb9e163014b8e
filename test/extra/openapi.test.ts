// The management API of an ingress that runs, against what its own document says: by a validator of
// OpenAPI documents, and by schemathesis, which makes requests of it that are right and wrong.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { createApiKey } from '../../config/api-keys.ts';
import { createApi } from '../../ingress/api.ts';
import { createServer } from '../../ingress/app.ts';
import { startApp, startServer } from '../harness.ts';
import { startCollecting } from '../received.ts';
import { installPythonTools, runTool } from './python-tools.ts';

/** How many requests are made up for an operation. */
const EXAMPLES = 60;

/** All checks, but one: no schema says which texts are filters, and those that are none are refused. */
const CONFIG = `
[[operations]]
include-name = "POST /api/v1/filters/test"
[operations.checks.positive_data_acceptance]
enabled = false
`;

/** The same requests every time. */
const SEED = 17;

const reader = createApiKey({ name: 'schemathesis', role: 'reader' });
const authorization = `Bearer ${reader.key}`;

let tools = '';
let url = '';
let directory = '';
const closing: Array<() => unknown> = [];

before(async () => {
  tools = await installPythonTools();
  directory = await mkdtemp(join(tmpdir(), 'nextevent-openapi-'));
  const server = await startServer();
  const app = await startApp(server, { sources: ['watched'], published: ['orders'] });
  const collecting = await startCollecting(app, [
    ['watched', "data.body.json.a == 'b'"],
    ['orders', ''],
  ]);
  const { inspection } = app.ingress;
  const { sources } = app.config;
  const api = createServer(
    createApi({
      sources,
      inspection,
      log: (line, { level } = {}) => {
        if (level === 'error') console.error(line);
      },
      apiKeys: [reader.entry],
    }),
  );
  api.listen(0, '127.0.0.1');
  await once(api, 'listening');
  url = `http://127.0.0.1:${(api.address() as AddressInfo).port}/api/v1/openapi.json`;
  closing.push(
    () => api.close(),
    () => api.closeAllConnections(),
    () => collecting.terminate(),
    () => app.stop(),
    () => server.stop(),
    () => rm(directory, { recursive: true }),
  );
});

after(async () => {
  for (const close of closing) await close();
});

describe('the OpenAPI document of the management API', () => {
  test('is one of OpenAPI 3.1', async () => {
    const file = join(directory, 'openapi.json');
    const response = await fetch(url, { headers: { authorization } });
    await writeFile(file, await response.text());
    const validator = join(tools, 'openapi-spec-validator');
    const { code, printed } = await runTool(validator, ['--schema', '3.1', file], directory);
    assert.equal(code, 0, printed);
  });

  test('is what the API does, whatever it is asked', async () => {
    const config = join(directory, 'schemathesis.toml');
    await writeFile(config, CONFIG);
    const args = [
      '--no-color',
      '--config-file',
      config,
      'run',
      url,
      '--header',
      `Authorization: ${authorization}`,
      '--max-examples',
      String(EXAMPLES),
      '--seed',
      String(SEED),
      '--continue-on-failure',
    ];
    const { code, printed } = await runTool(join(tools, 'schemathesis'), args, directory);
    assert.equal(code, 0, printed);
    console.log(/\d+ generated.*/.exec(printed)?.[0] ?? printed);
  });
});
