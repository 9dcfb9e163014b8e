// Checking filters and trying them: over HTTP, and by the command.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { EVENT_BYTES_MAX } from '../events/event.ts';
import { storeBody } from '../events/webhook-body.ts';
import { createServer } from '../ingress/app.ts';
import { createApi } from '../ingress/api.ts';
import { filterRoutes } from '../ingress/filter-routes.ts';

const CLI = fileURLToPath(new URL('../cli/main.ts', import.meta.url));

const order = { type: 'order.paid', data: { order: { id: 'A-1', total: 120 } } };

describe('POST /filters', () => {
  const lines: string[] = [];
  const inspection = {
    source: () => assert.fail('filters are of no source'),
    subscriptions: () => assert.fail('filters are of no source'),
  };
  const deps = { sources: new Map(), inspection, log: (line: string) => lines.push(line) };
  const server = createServer(createApi(deps, filterRoutes())).listen(0, '127.0.0.1');
  let url = '';
  before(async () => {
    if (!server.listening) await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/filters`;
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });

  const checks: Array<[filter: string, answer: object]> = [
    ['data.order.total > 1', { valid: true, indexed: false, indexedBy: [] }],
    ['', { valid: true, indexed: true, indexedBy: [] }],
    [
      `event_type in ['a', 'b'] && data.order["x-id"] == 'A-1' && 3 == data.list[0]`,
      {
        valid: true,
        indexed: true,
        indexedBy: ['event_type', 'data.order["x-id"]', 'data.list[0]'],
      },
    ],
    [
      `data.a\n  && data.b.endswith('x')`,
      {
        valid: false,
        error: 'filter at line 2, column 13: unknown method endswith; did you mean endsWith?',
        line: 2,
        column: 13,
        suggestion: 'did you mean endsWith?',
      },
    ],
    [
      'size(data.x)',
      {
        valid: false,
        error: 'filter at line 1, column 1: it is of type int, not bool',
        line: 1,
        column: 1,
      },
    ],
    ['x'.repeat(5_000), { valid: false, error: 'filter is 5000 characters, at most 4096' }],
  ];
  for (const [filter, answer] of checks) {
    test(`/check answers what ${JSON.stringify(filter.slice(0, 60))} is`, async () => {
      assert.deepEqual(await answerTo('check', { filter }), { status: 200, answer });
    });
  }

  test('/test says that a filter matches', async () => {
    const asked = { filter: "event_type == 'order.paid'", event: order };
    const answer = { matched: true, reasons: [] };
    assert.deepEqual(await answerTo('test', asked), { status: 200, answer });
  });

  test('/test says which part was false, or failed, and with what', async () => {
    const filter = "data.order.total > 200 || data.order.id == 'A-2' || data.order.paid";
    assert.deepEqual(await answerTo('test', { filter, event: order }), {
      status: 200,
      answer: {
        matched: false,
        error: 'no such key: paid',
        reasons: [
          {
            part: 'data.order.total > 200',
            position: { line: 1, column: 1 },
            result: 'false',
            why: 'data.order.total is 120, not > 200',
          },
          {
            part: "data.order.id == 'A-2'",
            position: { line: 1, column: 27 },
            result: 'false',
            why: "data.order.id is 'A-1', not 'A-2'",
          },
          {
            part: 'data.order.paid',
            position: { line: 1, column: 53 },
            result: 'error',
            why: 'no such key: paid; data.order has id, total',
          },
        ],
      },
    });
  });

  const request = {
    method: 'POST',
    url: { path: '/webhooks/shop' },
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  };
  const bodies: Array<[what: string, body: unknown]> = [
    ['as it is stored', storeBody(Buffer.from('a=1&b=2'))],
    ['as its text', 'a=1&b=2'],
    ['as a map with its text', { text: 'a=1&b=2' }],
    ['with the form that it is', { form: { a: '1' } }],
  ];
  for (const [what, body] of bodies) {
    test(`/test reads the body of a webhook given ${what}`, async () => {
      const filter = `data.body.form.a == '1' && data.headers['Content-Type'] != ''`;
      const asked = { filter, event: { type: 'post', data: { ...request, body } } };
      const { answer } = await answerTo('test', asked);
      assert.deepEqual(answer, { matched: true, reasons: [] });
    });
  }

  test('/test takes all attributes of an event', async () => {
    const attributes = { id: 'e', source: 's', subject: 'j', time: '2026-01-01T00:00:00Z' };
    const filter = `event == {'id': 'e', 'source': 's', 'subject': 'j', 'type': 'order.paid',
      'time': '2026-01-01T00:00:00Z'}`;
    const { answer } = await answerTo('test', { filter, event: { ...order, ...attributes } });
    assert.deepEqual(answer, { matched: true, reasons: [] });
  });

  const refused: Array<[what: string, question: unknown, detail: RegExp]> = [
    ['no JSON', '{', /^the body is not JSON$/],
    ['no object', '[]', /^the body: .* expected object/],
    ['null', 'null', /^the body: .* expected object/],
    ['no filter', {}, /^filter: .* expected string/],
    ['a filter that is a number', { filter: 1 }, /^filter: .* expected string/],
    ['a filter that is none', { filter: 'dta.x', event: order }, /unknown variable: dta; did you/],
    ['no event', { filter: '' }, /^event: .* expected object/],
    [
      'an event without a type',
      { filter: '', event: { data: 1 } },
      /^event.type: .* expected string/,
    ],
    ['an event without data', { filter: '', event: { type: 'a' } }, /data/],
    ['an id that is a number', { filter: '', event: { ...order, id: 1 } }, /are not texts$/],
    [
      'a subject of its own kind',
      { filter: '', event: { ...order, subject: 1 } },
      /subject is not/,
    ],
  ];
  for (const [what, question, detail] of refused) {
    test(`/test refuses ${what}`, async () => {
      const { status, answer } = await answerTo('test', question);
      assert.deepEqual([status, answer.title], [400, 'Bad request']);
      assert.match(String(answer.detail), detail);
      // Nothing of what was sent.
      const [line = '', ...more] = lines.splice(0);
      assert.match(line, /^POST \/api\/v1\/filters\/test \(\S+\) refused: 400 Bad request$/);
      assert.deepEqual(more, []);
    });
  }

  test('refuses more than an event may have', async () => {
    const { status } = await answerTo('test', ' '.repeat(EVENT_BYTES_MAX + 1));
    assert.equal(status, 413);
  });

  async function answerTo(what: string, question: unknown) {
    const body = typeof question === 'string' ? question : JSON.stringify(question);
    const response = await fetch(`${url}/${what}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    return {
      status: response.status,
      answer: (await response.json()) as Record<string, unknown>,
    };
  }
});

describe('npx nextevent filter', () => {
  let folder = '';
  let file = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nextevent-filter-'));
    file = join(folder, 'event.json');
    await writeFile(file, JSON.stringify(order));
  });
  after(() => rm(folder, { recursive: true }));

  test('check says what an index serves a filter by', async () => {
    const { code, stdout } = await run(['check', "data.order.id == 'A-1'"]);
    assert.deepEqual([code, stdout], [0, 'valid; an index serves it by data.order.id\n']);
    const unserved = await run(['check', 'data.order.total > 1']);
    assert.match(unserved.stdout, /^valid; no index serves it/);
    assert.equal((await run(['check', ''])).stdout, 'valid; it wants every event of its source\n');
  });

  test('check says what is wrong, and ends with 1', async () => {
    const { code, stdout, stderr } = await run(['check', 'dta.x']);
    assert.deepEqual([code, stdout], [1, '']);
    assert.equal(stderr, 'filter at line 1, column 1: unknown variable: dta; did you mean data?\n');
    const json = await run(['check', 'dta.x', '--json']);
    assert.equal(json.code, 1);
    assert.equal((JSON.parse(json.stdout) as { column: number }).column, 1);
  });

  test('test says that it matches', async () => {
    const { code, stdout } = await run(['test', 'data.order.total == 120', file]);
    assert.deepEqual([code, stdout], [0, 'matches\n']);
  });

  test('test says why it does not, of what is piped in, and ends with 1', async () => {
    const { code, stdout } = await run(['test', 'data.order.total == 121', '-'], order);
    assert.equal(code, 1);
    assert.equal(
      stdout,
      'does not match\n  `data.order.total == 121` was false: data.order.total is 120, not 121\n',
    );
    const json = await run(['test', 'data.order.total == 121', '-', '--json'], order);
    assert.equal((JSON.parse(json.stdout) as { matched: boolean }).matched, false);
  });

  const wrong: Array<[what: string, args: readonly string[], stderr: RegExp]> = [
    ['no file', ['test', '', 'no-such-file'], /^no-such-file can not be read: .*\n$/],
    ['no JSON', ['test', '', CLI], /main\.ts is not JSON\n$/],
    ['no filter', ['test', 'dta.x', '-'], /^filter at line 1, column 1: unknown variable: dta/],
    ['no command of its own', ['tset'], /^unknown command 'tset' .*\n$/],
    ['an argument that lacks', ['test', ''], /^missing required argument 'event'; .*\n$/],
  ];
  for (const [what, args, stderr] of wrong) {
    test(`says in one sentence that there is ${what}, and ends with 1`, async () => {
      const ended = await run(args, order);
      assert.deepEqual([ended.code, ended.stdout], [1, '']);
      assert.match(ended.stderr, stderr);
    });
  }

  test('--help says what the exit codes mean', async () => {
    const { code, stdout } = await run(['test', '--help']);
    assert.equal(code, 0);
    assert.match(stdout, /^Exit code 0 if it matches, 1 if it does not/m);
  });
});

interface Ended {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command, with JSON at its input. */
function run(args: readonly string[], input: unknown = {}): Promise<Ended> {
  const options = ['--conditions=source', '--import', 'tsx', CLI, 'filter', ...args];
  return new Promise((resolve) => {
    const child = execFile(process.execPath, options, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr });
    });
    child.stdin?.end(JSON.stringify(input));
  });
}
