// The management API over real HTTP: its document, who may ask, and what is refused. What it says
// of a project that runs is in inspection.test.ts.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';

import { z } from 'zod';

import { createApiKey } from '../config/api-keys.ts';
import type { Inspection } from '../dispatch/inspection.ts';
import { defineRoute } from '../ingress/api-route.ts';
import { apiRoutes, createApi, type ApiDeps } from '../ingress/api.ts';
import { createServer } from '../ingress/app.ts';
import { checkManagementHost, describeKeys } from '../ingress/keys/start.ts';
import { createDocument } from '../ingress/openapi.ts';
import { RejectedError } from '../ingress/sources/source.ts';
import { pageOf } from '../ingress/subscription-pages.ts';
import { Telemetry } from '../ingress/telemetry.ts';
import { published, webhook } from '../nextevent.ts';
import { CODE, grpcError } from './trouble.ts';

const reader = createApiKey({ name: 'dashboard', role: 'reader' });
const admin = createApiKey({ name: 'ops', role: 'admin' });
const publisher = createApiKey({ name: 'shop', role: 'publisher', sources: ['orders'] });

const subscription = {
  id: 's-1',
  source: 'hooks',
  filter: '',
  workflowId: 'w-1',
  since: null,
  received: null,
  unread: 0,
  suspended: false,
  undeliverable: 0,
  lastError: null,
};

/** What the dispatcher would tell. */
const inspection: Pick<Inspection, 'source' | 'subscriptions'> = {
  source: async (name) => ({
    name,
    status: 'running',
    subscriptions: 1,
    suspended: 0,
    backlog: 0,
    oldestSince: null,
    hasRoom: true,
    isPending: false,
    pendingSince: null,
    version: 1,
    segments: 0,
    stateBytes: 10,
    // Nobody has said that this is told.
    secret: 'x',
  }),
  subscriptions: async (source) =>
    source === 'orders' ? undefined : { subscriptions: [subscription], next: null },
};

/** ... if Temporal does not answer it. */
const failing: typeof inspection = {
  ...inspection,
  source: () => Promise.reject(grpcError(CODE.UNAVAILABLE)),
};

const telemetry = new Telemetry(['hooks', 'orders']);

/** What was logged as a fault of ours. */
const failures: string[] = [];

const deps: ApiDeps = {
  sources: new Map([
    ['hooks', webhook({ verify: 'none' })],
    ['orders', published()],
  ]),
  inspection,
  telemetry,
  log(line, { level } = {}) {
    if (level === 'error') failures.push(line);
  },
};

const write = defineRoute({
  method: 'post',
  path: '/written',
  summary: 'Something that changes.',
  role: 'admin',
  body: z.strictObject({ name: z.string() }),
  answer: z.object({ hello: z.string() }),
  run: ({ body }) => ({ hello: body.name }),
});

const open = await listen(createApi(deps));
const closedDeps = {
  ...deps,
  apiKeys: [reader.entry, admin.entry, publisher.entry],
  rateLimits: { perKey: 30 },
};
const closed = await listen(createApi(closedDeps, [...apiRoutes(closedDeps), write]));

after(() => {
  for (const { server } of [open, closed]) {
    server.close();
    server.closeAllConnections();
  }
});

interface Operation {
  readonly operationId: string;
  readonly security?: unknown;
  readonly parameters?: ReadonlyArray<{ name: string; schema: unknown }>;
  readonly responses: Readonly<Record<string, unknown>>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, unknown>>;
    readonly securitySchemes?: unknown;
  };
}

describe('the OpenAPI document', () => {
  test('has every route that is answered, with its parameters and answers', async () => {
    const document = (await (await fetch(`${open.url}/api/v1/openapi.json`)).json()) as Document;
    assert.match(document.openapi, /^3\.1\./);
    const inDocument = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method} ${path}`),
    );
    const routes = apiRoutes(deps).map(({ method, path }) => `${method} /api/v1${path}`);
    assert.deepEqual(inDocument.toSorted(), routes.toSorted());
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const method of Object.keys(operations)) {
        // What takes a body lacks one here; this project has no listeners.
        const missing = path.startsWith('/api/v1/listeners') ? [404, 415] : [415];
        const expected = method === 'get' ? [200, 503, ...missing] : missing;
        const url = open.url + path.replace('{id}', 'x').replaceAll(/\{\w+\}/g, '1');
        const { status } = await fetch(url, { method: method.toUpperCase() });
        assert.ok(expected.includes(status), `${method} ${path}: ${status}`);
      }
    }
    const named = document.paths['/api/v1/listeners/{id}/deliveries/{number}']?.get;
    assert.deepEqual(
      named?.parameters?.map(({ name }) => name),
      ['id', 'number'],
    );
    assert.ok(document.paths['/api/v1/listeners']?.post?.responses[201]);
    const subscriptions = document.paths['/api/v1/subscriptions']?.get;
    assert.deepEqual(
      subscriptions?.parameters?.map(({ name, schema }) => [name, schema]),
      [
        ['source', { type: 'string', description: 'Only of this source.' }],
        [
          'limit',
          {
            type: 'integer',
            minimum: 1,
            maximum: 1000,
            default: 100,
            description: 'How many at the most.',
          },
        ],
        [
          'cursor',
          { type: 'string', description: 'The `next` of the page before, of the same list.' },
        ],
      ],
    );
    assert.deepEqual(Object.keys(subscriptions?.responses ?? {}), [
      '200',
      '400',
      '403',
      '404',
      '500',
      '503',
    ]);
  });

  test('refers to nothing that is not in it, and names no operation twice', () => {
    const document = createDocument([...apiRoutes(closedDeps), write], { hasKeys: true });
    const text = JSON.stringify(document);
    const { paths, components } = JSON.parse(text) as Document;
    for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      assert.ok(components.schemas[name], name);
    }
    assert.deepEqual(Object.keys(components.schemas).toSorted(), [
      'Attempt',
      'Changed',
      'Delivery',
      'Explanation',
      'FilterReport',
      'GivenListener',
      'ListedListener',
      'Listener',
      'Problem',
      'Rejection',
      'Source',
      'Subscription',
    ]);
    const ids = Object.values(paths).flatMap((operations) =>
      Object.values(operations).map(({ operationId }) => operationId),
    );
    assert.deepEqual(ids, [
      'getSources',
      'getSubscriptions',
      'postFiltersCheck',
      'postFiltersTest',
      'postListeners',
      'getListeners',
      'getListenersId',
      'patchListenersId',
      'deleteListenersId',
      'postListenersIdActivate',
      'postListenersIdDeactivate',
      'getListenersIdDeliveries',
      'getListenersIdDeliveriesNumber',
      'getListenersIdDeliveriesNumberAttemptsAttempt',
      'postListenersIdDeliveriesNumberRedeliver',
      'postListenersIdRedeliver',
      'getRejections',
      'getOpenapiJson',
      'postWritten',
    ]);
  });

  test('says that a key is needed where one is', async () => {
    const document = (await (await ask('/api/v1/openapi.json', reader.key)).json()) as Document;
    assert.ok(document.components.securitySchemes);
    assert.deepEqual(document.paths['/api/v1/sources']?.get?.security, [{ apiKey: [] }]);
  });
});

describe('an answer', () => {
  test('has what its schema says, and nothing else', async () => {
    const { sources } = (await (await fetch(`${open.url}/api/v1/sources`)).json()) as {
      sources: Array<Record<string, unknown>>;
    };
    assert.deepEqual(
      sources.map(({ name, kind, path, secret }) => [name, kind, path, secret]),
      [
        ['hooks', 'webhook', '/webhooks/hooks', undefined],
        ['orders', 'published', '/events/orders', undefined],
      ],
    );
  });

  test('has headers that browsers heed, and the id of its request', async () => {
    const headers = { 'x-request-id': 'r-1' };
    const response = await fetch(`${open.url}/api/v1/sources`, { headers });
    assert.equal(response.headers.get('x-request-id'), 'r-1');
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    assert.match(response.headers.get('content-security-policy') ?? '', /default-src/);
  });

  test('to a body is what its schema makes of it', async () => {
    const response = await ask('/api/v1/written', admin.key, json('{"name":"a"}'));
    assert.deepEqual(await response.json(), { hello: 'a' });
    const wrong: Array<[init: RequestInit, status: number, detail: RegExp]> = [
      [json('{"name":1}'), 400, /^name: .*expected string/],
      [json('{"name":"a","more":1}'), 400, /more/],
      [json('{'), 400, /the body is not JSON/],
      [{ method: 'POST', body: '{"name":"a"}' }, 415, /application\/json/],
      [json(`{"name":"${'a'.repeat(1024 * 1024)}"}`), 413, /larger/],
    ];
    for (const [init, status, detail] of wrong) {
      await isProblem(await ask('/api/v1/written', admin.key, init), status, detail);
    }
  });
});

test('the list of subscriptions goes on from page to page, and from source to source', async () => {
  const held = new Map([
    ['a', numbers(1, 3)],
    ['b', []],
    ['c', numbers(4, 8)],
  ]);
  const asked = {
    async subscriptions(source: string, page: { limit: number; after: number }) {
      const rest = (held.get(source) ?? []).filter((seq) => seq > page.after);
      const shown = rest.slice(0, page.limit);
      const next = rest.length > shown.length ? (shown.at(-1) ?? null) : null;
      return { subscriptions: shown.map((seq) => ({ ...subscription, id: `${seq}` })), next };
    },
  };
  for (const limit of numbers(1, 9)) {
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await pageOf(asked, [...held.keys()], { limit, cursor });
      assert.ok(page.subscriptions.length <= limit);
      found.push(...page.subscriptions.map(({ id }) => id));
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    assert.deepEqual(found, numbers(1, 8).map(String));
  }
});

test('what was refused is listed, the newest first', async () => {
  refuse('/webhooks/hooks', new RejectedError('SIGNATURE', 'not verified'));
  refuse('/webhooks/no-such', new Error('no'));
  const [newest, { at, ...oldest } = {}] = await listed('');
  assert.deepEqual([newest?.source, newest?.reason], [null, 'CREDENTIALS']);
  assert.ok(!Number.isNaN(Date.parse(String(at))));
  assert.deepEqual(oldest, {
    source: 'hooks',
    reason: 'SIGNATURE',
    status: 401,
    remoteAddress: '10.0.0.7',
    requestId: 'r-1',
  });
  assert.equal((await listed('?limit=1')).length, 1);
  assert.equal((await listed('?source=hooks')).length, 1);
  assert.deepEqual(await listed('?source=no-such'), []);
});

describe('is refused', () => {
  const refusals: Array<[path: string, status: number, detail: RegExp]> = [
    ['/subscriptions?limit=0', 400, /^limit: must be a whole number from 1 to 1000$/],
    ['/subscriptions?limit=1e2', 400, /^limit: must be/],
    ['/subscriptions?limit=', 400, /^limit: must be/],
    ['/subscriptions?limit=1&limit=2', 400, /^limit: must be/],
    ['/subscriptions?cursor=x', 404, /no such page/],
    [`/subscriptions?source=hooks&cursor=${cursorTo('orders')}`, 404, /no such page/],
    ['/subscriptions?cursor=', 404, /no such page/],
    ['/subscriptions?sauce=hooks', 400, /sauce/],
    ['/sources?source=hooks', 400, /source/],
    ['/rejections?limit=1001', 400, /^limit: must be a whole number from 1 to 1000$/],
    ['/rejections?sauce=hooks', 400, /sauce/],
    ['/subscriptions?source=no-such', 404, /there is no source "no-such"/],
    ['/subscriptions?source=orders', 503, /nobody tells what orders holds/],
    ['/nothing', 404, /the API is at \/api\/v1/],
    ['/Sources', 404, /the API is at \/api\/v1/],
  ];
  for (const [path, status, detail] of refusals) {
    test(`${path} with ${status}`, async () => {
      await isProblem(await fetch(`${open.url}/api/v1${path}`), status, detail);
    });
  }

  test('a source with 503, while Temporal does not answer', async () => {
    const away = await listen(createApi({ ...deps, inspection: failing }));
    try {
      const response = await fetch(`${away.url}/api/v1/sources`);
      assert.equal(response.headers.get('retry-after'), '1');
      await isProblem(response, 503, /^Temporal did not answer$/);
    } finally {
      away.server.close();
      away.server.closeAllConnections();
    }
  });

  test('a path with malformed percent-encoding, with keys and without', async () => {
    for (const path of ['/listeners/%', '/listeners/%ff/deliveries/1']) {
      const answers = [await fetch(`${open.url}/api/v1${path}`), await ask(`/api/v1${path}`, '')];
      for (const answer of answers) await isProblem(answer, 400, /^malformed percent-encoding in/);
    }
    assert.doesNotMatch(failures.join('\n'), /%/);
  });

  test('a method that the path does not have, with those that it has', async () => {
    for (const method of ['POST', 'DELETE', 'OPTIONS']) {
      const response = await fetch(`${open.url}/api/v1/sources`, { method });
      assert.equal(response.headers.get('allow'), 'GET');
      await isProblem(response, 405, new RegExp(method));
    }
  });
});

describe('who may ask', () => {
  test('without keys: this machine, by its own names', async () => {
    assert.equal(await statusFor(`${open.url}/api/v1/sources`, { host: 'localhost:9088' }), 200);
    assert.equal(await statusFor(`${open.url}/api/v1/sources`, { host: '[::1]' }), 200);
    assert.equal(await statusFor(`${open.url}/api/v1/sources`, { host: 'evil.example' }), 403);
    assert.equal(await statusFor(`${open.url}/metrics`, { host: 'localhost' }), 200);
    assert.equal(await statusFor(`${open.url}/metrics`, { host: 'evil.example' }), 403);
  });

  test('without keys: no page of another site, by whatever name this machine has', async () => {
    const cases: Array<[host: string, origin: string, isLetIn: boolean]> = [
      ['localhost:9088', 'http://localhost:9088', true],
      ['[::1]:9088', 'http://[::1]:9088', true],
      ['localhost:9088', 'http://evil.example', false],
      ['localhost:9088', 'http://localhost:3000', false],
      ['localhost:9088', 'http://localhost', false],
      ['localhost:9088', 'http://127.0.0.1:9088', false],
      ['localhost:9088', 'https://localhost:9088', false],
      ['localhost:9088', 'null', false],
      ['localhost:9088', '', false],
    ];
    const path = '/api/v1/listeners/crm/deactivate';
    for (const [host, origin, isLetIn] of cases) {
      const status = await statusFor(`${open.url}${path}`, { host, origin, method: 'POST' });
      assert.equal(status, isLetIn ? 404 : 403, `${host} ${origin}`);
    }
    const init = { method: 'POST', headers: { origin: 'http://evil.example' } };
    await isProblem(await fetch(open.url + path, init), 403, /answers to no page elsewhere$/);
    const asked = await ask('/api/v1/sources', reader.key, { headers: init.headers });
    assert.equal(asked.status, 200);
  });

  test('with keys: those that have one, by any name, and for what it is', async () => {
    const asked: Array<[key: string | undefined, path: string, status: number]> = [
      [reader.key, '/sources', 200],
      [admin.key, '/sources', 200],
      [publisher.key, '/sources', 403],
      [undefined, '/sources', 401],
      [undefined, '/openapi.json', 401],
      [undefined, '/nothing', 401],
      [reader.key, '/nothing', 404],
      [`${reader.key}x`, '/sources', 401],
      [undefined, '/rejections', 401],
      [reader.key, '/rejections', 200],
    ];
    for (const [key, path, status] of asked) {
      const response = await ask(`/api/v1${path}`, key);
      if (status === 200) assert.equal(response.status, 200);
      else await isProblem(response, status, /./);
    }
    await isProblem(await ask('/metrics', undefined), 401, /send an API key/);
    await isProblem(await ask('/metrics', publisher.key), 403, /reader/);
    const metrics = await ask('/metrics', reader.key);
    assert.match(await metrics.text(), /^nextevent_requests_rejected_total\{/m);
    await isProblem(await ask('/api/v1/written', reader.key, json('{"name":"a"}')), 403, /admin/);
    const response = await ask('/api/v1/sources', undefined);
    assert.equal(response.headers.get('www-authenticate'), 'Bearer');
  });

  test('no more often than the limit for a key', async () => {
    let response = await ask('/api/v1/sources', reader.key);
    for (let count = 0; count < 30 && response.status !== 429; count += 1) {
      response = await ask('/api/v1/sources', reader.key);
    }
    assert.ok(Number(response.headers.get('retry-after')) >= 1);
    await isProblem(response, 429, new RegExp(`key ${reader.entry.id}`));
    assert.equal((await ask('/api/v1/sources', admin.key)).status, 200);
  });
});

describe('the ingress', () => {
  test('does not listen for operators elsewhere without a key for them', () => {
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.com']) {
      assert.throws(
        () => checkManagementHost(host, [publisher.entry]),
        /MANAGEMENT_HOST is .*keys/,
      );
      checkManagementHost(host, [reader.entry]);
    }
    for (const host of ['127.0.0.1', 'localhost', '::1']) checkManagementHost(host, []);
  });

  test('says which source nobody can publish to', () => {
    const lines = describeKeys([reader.entry], deps.sources);
    assert.deepEqual(lines.length, 1);
    assert.match(lines[0] ?? '', /nobody can publish to orders yet: npx nextevent key create/);
    assert.deepEqual(describeKeys([publisher.entry], deps.sources), []);
  });

  test('does not start with a key for a source that takes no published events', () => {
    for (const source of ['hooks', 'no-such']) {
      const { entry } = createApiKey({ name: 'x', role: 'publisher', sources: [source] });
      assert.throws(() => describeKeys([entry], deps.sources), /no source of published events/);
    }
  });
});

function numbers(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function refuse(path: string, error: Error): void {
  const from = { remoteAddress: '10.0.0.7', requestId: 'r-1' };
  telemetry.rejected({ error, status: 401, path, ...from });
}

async function listed(query: string): Promise<Array<Record<string, unknown>>> {
  const response = await fetch(`${open.url}/api/v1/rejections${query}`);
  return ((await response.json()) as { rejections: Array<Record<string, unknown>> }).rejections;
}

/** The first page of a source. */
function cursorTo(source: string): string {
  return Buffer.from(`0 ${source}`).toString('base64url');
}

async function listen(api: ReturnType<typeof createApi>) {
  const server = createServer(api).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function ask(path: string, key: string | undefined, init: RequestInit = {}): Promise<Response> {
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
  return fetch(closed.url + path, {
    ...init,
    headers: { ...authorization, ...(init.headers as Record<string, string> | undefined) },
  });
}

function json(body: string): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body };
}

async function isProblem(response: Response, status: number, detail: RegExp): Promise<void> {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/);
  const problem = JSON.parse(text) as { detail?: string; requestId: string };
  assert.match(problem.detail ?? '', detail);
  assert.equal(problem.requestId, response.headers.get('x-request-id'));
}

/** By `node:http`: `fetch` sends no other host than that of the address. */
async function statusFor(
  url: string,
  { method = 'GET', ...headers }: Readonly<Record<string, string>>,
): Promise<number | undefined> {
  const asking = request(url, { method, headers }).end();
  const [response] = (await once(asking, 'response')) as [{ statusCode?: number; resume(): void }];
  response.resume();
  return response.statusCode;
}
