// The code in docs/sources.md is the code that compiles, and does what is said there.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { resolveConfig } from '../config/config.ts';
import type { Source } from '../ingress/sources/source.ts';
import { describeOff } from '../ingress/webhooks.ts';
import config from './all-sources.config.ts';
import { toRequest } from './sources.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

describe('docs/sources.md', () => {
  let page = '';
  before(async () => {
    page = await readFile(join(ROOT, 'docs/sources.md'), 'utf8');
  });

  for (const file of ['all-sources.config.ts', 'own-source.ts', 'own-handler.ts']) {
    test(`shows ${file} as it is`, async () => {
      const code = await readFile(join(ROOT, 'test', file), 'utf8');
      const isShown = page.includes(`\`\`\`ts\n${code.slice(code.indexOf('import '))}\`\`\``);
      assert.equal(isShown, true);
    });
  }

  test('lists every source of it as off, with the variables that it needs', () => {
    const { sources } = resolveConfig(config, ROOT);
    const lines = [...sources].map(([name, source]) => describeOff(name, source));
    assert.equal(lines.length, 13);
    for (const line of lines) assert.match(line, /^[a-z]+ is off: [A-Z_ and]+ (is|are) not set$/);
    assert.equal(lines[0], 'github is off: GITHUB_WEBHOOK_SECRET is not set');
    const twilio = 'twilio is off: TWILIO_AUTH_TOKEN and TWILIO_WEBHOOK_URL are not set';
    assert.equal(lines.includes(twilio), true);
  });
});

describe("the source of one's own", () => {
  let source: Source;
  before(async () => {
    process.env.WAREHOUSE_SECRET = 'a secret';
    ({ warehouse: source } = await import('./own-source.ts'));
  });

  const body = '[{"id":"m-1","kind":"in","article":"A"},{"id":"m-2","kind":"out","article":"B"}]';
  const post = (time: string, signature: string) =>
    source.receive(
      toRequest({
        method: 'POST',
        suffix: '',
        headers: { 'x-warehouse-time': time, 'x-warehouse-signature': signature },
        body,
      }),
    );
  const sign = (time: string): string =>
    createHmac('sha256', 'a secret').update(time).update(body).digest('hex');

  test('makes an event of each movement', async () => {
    const now = new Date().toISOString();
    const received = await post(now, sign(now));
    assert.deepEqual(
      'events' in received && received.events.map(({ id, type, subject }) => [id, type, subject]),
      [
        ['m-1', 'stock.in', 'A'],
        ['m-2', 'stock.out', 'B'],
      ],
    );
  });

  test('refuses what is not signed, or was long ago', async () => {
    const now = new Date().toISOString();
    const then = new Date(Date.now() - 3_600_000).toISOString();
    await assert.rejects(post(now, sign(then)), { reason: 'SIGNATURE' });
    await assert.rejects(post(then, sign(then)), { reason: 'TIMESTAMP' });
  });
});
