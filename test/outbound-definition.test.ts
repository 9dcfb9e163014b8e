// Listeners as they are asked for, and the definitions that are made of them.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { resolveConfig } from '../config/config.ts';
import { ConfigError } from '../config/errors.ts';
import { ListenerError, toDefinition, type Outbound } from '../config/outbound.ts';
import { compileFilter, toFilterInput } from '../events/filter.ts';
import { DEFAULT_RETRY_MS, type ListenerDefinition } from '../events/listener.ts';
import { amqp, defineTransport, env, webhook } from '../nextevent.ts';
import { bob, outboundOf, SOURCES } from './outbound.ts';

const URL_OF_CRM = 'https://crm.example/hooks';
const KEY = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

const transports = {
  amqp: amqp({ url: 'amqps://broker.example', username: 'shop', password: { secret: 'TOKEN' } }),
  picky: defineTransport({
    check({ url }) {
      if (url !== 'good') throw new Error('the url is not good');
    },
    send: async () => ({ isSuccessful: true, message: 'ok' }),
  }),
};
const dialects = { partner: { contentType: 'text/plain', body: () => '' } };
const secrets = { TOKEN: 'token-1', KEY, LATE: env('NEXTEVENT_TEST_NOT_SET') };
const outbound = outboundOf({ allow: {}, transports, dialects, secrets });

/** What the configuration says of outbound. */
function resolve(options: unknown): Outbound | undefined {
  const sources = { orders: webhook({ verify: 'none' }) };
  const config = { workflowsPath: './workflows.ts', sources };
  const whole = options === undefined ? config : { ...config, outbound: options };
  return resolveConfig(whole, '/project').outbound;
}

function define(options: object): ListenerDefinition {
  return toDefinition(options, { sources: SOURCES, outbound });
}

describe('a listener', () => {
  test('needs a url and nothing else [M-22, M-32]', () => {
    assert.deepEqual(define({ url: URL_OF_CRM }), {
      name: 'crm.example',
      type: 'webhook',
      sources: ['orders', 'members'],
      filter: '',
      url: URL_OF_CRM,
      method: 'POST',
      headers: {},
      dialect: 'cloudevents',
      signing: [],
      ordered: false,
      concurrency: 10,
      timeoutMs: 15_000,
      retryMs: DEFAULT_RETRY_MS,
      failuresMax: 50,
    });
  });

  test('may say everything', () => {
    const all = {
      name: 'crm',
      type: 'webhook',
      sources: ['orders'],
      filter: "event_type == 'order.paid'",
      url: URL_OF_CRM,
      method: 'PATCH',
      headers: {
        'X-Shop': 'main',
        Authorization: { secret: 'TOKEN', prefix: 'Bearer ' },
        'x-key': { secret: 'LATE' },
      },
      dialect: 'partner',
      signing: [{ secret: 'KEY' }, { secret: 'LATE', until: '2027-01-31T11:00:00.000Z' }],
      owner: 'ann',
      description: 'what sales see',
      ordered: true,
      concurrency: 1,
      ratePerSecond: 0.5,
      timeoutMs: 60_000,
      retryMs: [0, 1_000],
      failuresMax: 3,
    };
    assert.deepEqual(define(all), all);
  });

  test('is its own options: a definition may be given again', () => {
    const made = define({
      url: URL_OF_CRM,
      events: ['a', 'b.*'],
      filter: 'data.x == 1 // why',
      signing: ['KEY', { secret: 'LATE', until: '2027-01-31T12:00:00+01:00' }],
    });
    assert.equal(made.signing[1]?.until, '2027-01-31T11:00:00.000Z');
    assert.deepEqual(define(made), made);
  });

  test('may be written as the callback that Mistral has [M-06, M-07, M-08]', () => {
    const definition = define({
      callback: {
        type: 'callback',
        events: ['on-task-complete', 'on-execution-complete'],
        url: URL_OF_CRM,
        method: 'POST',
        headers: {},
      },
    });
    assert.equal(definition.type, 'webhook');
    assert.equal(definition.filter, "event_type in ['on-task-complete', 'on-execution-complete']");
  });

  const names: ReadonlyArray<[options: object, name: string]> = [
    [{ url: 'https://CRM.example:443/a' }, 'crm.example'],
    [{ url: 'https://[2606:4700::1111]/' }, '2606-4700-1111'],
    [{ url: 'https://xn--bcher-kva.example/' }, 'xn-bcher-kva.example'],
    [{ url: 'good', type: 'picky' }, 'picky'],
    [{ url: 'amqps://broker.example/shop/events', type: 'amqp' }, 'broker.example'],
  ];
  for (const [options, name] of names) {
    test(`${JSON.stringify(options)} is called ${name}`, () => {
      assert.equal(define(options).name, name);
    });
  }

  test('is for one source, or several, each once', () => {
    assert.deepEqual(define({ url: URL_OF_CRM, source: 'orders' }).sources, ['orders']);
    const sources = ['members', 'orders', 'members'];
    assert.deepEqual(define({ url: URL_OF_CRM, sources }).sources, ['members', 'orders']);
  });

  const refusals: ReadonlyArray<[options: object, message: RegExp]> = [
    [{}, /^url is missing or not text$/],
    [{ url: '' }, /^url is missing/],
    [{ url: 1 }, /^url is missing/],
    [{ url: 'http://crm.example/' }, /^the url is not https$/],
    [{ url: 'https://localhost/' }, /not allowed/],
    [{ url: 'https://10.0.0.1/' }, /^the address of 10\.0\.0\.1 is not allowed$/],
    [{ url: 'https://a:b@crm.example/' }, /^the url has credentials in it/],
    [{ url: `https://crm.example/${'a'.repeat(2_048)}` }, /at most 2048/],
    [{ url: 'bad', type: 'picky' }, /^the url is not good$/],
    [{ url: 'amqps://other.example/shop/events', type: 'amqp' }, /not one of amqps:\/\/broker/],
    [{ url: 'amqp://broker.example/shop/events', type: 'amqp' }, /not one of/],
    [{ url: 'amqps://broker.example:5672/a/b', type: 'amqp' }, /not one of/],
    [{ url: 'amqps://broker.example/a/b/c', type: 'amqp' }, /more after its host/],
    [{ url: 'amqps://broker.example/a', type: 'amqp' }, /neither an exchange nor a routingKey/],
    [{ url: 'amqps://broker.example/a/b?key=c', type: 'amqp' }, /has "key", not routingKey/],
    [{ url: 'amqps://broker.example/%zz/b', type: 'amqp' }, /percent-encoding/],
    [given({ type: 'sqs' }), /^there is no transport "sqs", only webhook, noop, amqp, picky$/],
    [given({ dialect: 'xml' }), /^there is no dialect "xml", only cloudevents, json, partner$/],
    [given({ name: 'a/b' }), /^name must be letters/],
    [given({ name: '-a' }), /^name must be letters/],
    [given({ name: 'a'.repeat(101) }), /101 characters, at most 100/],
    [given({ source: 'order' }), /^there is no source "order", only orders, members$/],
    [given({ source: 'orders', sources: ['members'] }), /both given/],
    [given({ sources: [] }), /sources is empty/],
    [given({ sources: 'orders' }), /sources is not a list/],
    [given({ filter: 'data.a ==' }), /filter/],
    [given({ filter: 'event_type' }), /filter/],
    [given({ filter: 1 }), /filter is not text/],
    [given({ filter: 'true) || (true', events: ['a'] }), /filter/],
    [given({ filter: 'a'.repeat(4_097) }), /4097 characters/],
    [given({ events: 'a' }), /events is not a list/],
    [given({ events: [''] }), /events is not a list/],
    [given({ events: [1] }), /events is not a list/],
    [given({ events: Array.from({ length: 101 }, String) }), /101 event types, at most 100/],
    [given({ events: ['a'], event_types: ['b'] }), /events and event_types are the same/],
    [given({ method: 'GET' }), /^method is GET, must be POST, PUT, PATCH$/],
    [given({ headers: [] }), /^headers is not an object$/],
    [given({ headers: { 'a b': 'c' } }), /name of a header is malformed/],
    [given({ headers: { 'a\r\nb': 'c' } }), /name of a header is malformed/],
    [given({ headers: { a: 'b\r\nx-evil: 1' } }), /a has a line end/],
    [given({ headers: { a: 'b\0' } }), /a has a line end/],
    [given({ headers: { a: '\u0100' } }), /unfit character/],
    [given({ headers: { a: 'x'.repeat(4_097) } }), /4097 characters, at most 4096/],
    [given({ headers: { a: 1 } }), /header a is not an object/],
    [given({ headers: { Host: 'internal' } }), /Host is not for listeners/],
    [given({ headers: { 'transfer-encoding': 'chunked' } }), /not for listeners/],
    [given({ headers: { 'Content-Length': '1' } }), /not for listeners/],
    [given({ headers: { 'webhook-signature': 'v1,a' } }), /not for listeners/],
    [given({ headers: { 'x-a': '1', 'X-A': '2' } }), /X-A is given twice/],
    [
      given({ headers: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`x${i}`, ''])) }),
      /33/,
    ],
    [given({ headers: { Authorization: 'Bearer hunter2' } }), /^the header Authorization would be/],
    [given({ headers: { cookie: 'a=b' } }), /give it as \{ secret: 'NAME' \}/],
    [given({ headers: { 'X-Api-Key': 'hunter2' } }), /give it as/],
    [given({ headers: { 'x-auth-token': 'hunter2' } }), /give it as/],
    [given({ headers: { a: { secret: 'NONE' } } }), /no secret "NONE" in .*outbound\.secrets$/],
    [given({ headers: { a: { secret: 'PATH' } } }), /no secret "PATH"/],
    [given({ headers: { a: { env: 'TOKEN' } } }), /no "env" in the header a, only secret, prefix/],
    [given({ headers: { a: { secret: 'TOKEN', prefix: 'a\nb' } } }), /line end/],
    [given({ headers: { a: { secret: 'TOKEN', prefix: 1 } } }), /prefix of a is not text/],
    [given({ signing: 'NONE' }), /no secret "NONE"/],
    [given({ signing: 'TOKEN' }), /^the secret "TOKEN" signs nothing/],
    [given({ signing: { secret: 'KEY' } }), /signing is not a list/],
    [
      given({ signing: [{ secret: 'KEY', until: 'soon' }] }),
      /until of a signing key is not a time/,
    ],
    [given({ signing: [{ secret: 'KEY', until: 1 }] }), /until of a signing key/],
    [given({ signing: [1] }), /a signing key is not an object/],
    [given({ signing: Array.from({ length: 11 }, () => 'KEY') }), /11 entries, at most 10/],
    [given({ owner: '' }), /owner is missing or not text/],
    [given({ description: 'a'.repeat(1_025) }), /1025 characters/],
    [given({ ordered: 'yes' }), /ordered is neither true nor false/],
    [given({ concurrency: 0 }), /concurrency is not a whole number from 1 to 100/],
    [given({ concurrency: 1.5 }), /concurrency/],
    [given({ ratePerSecond: 0 }), /ratePerSecond is not a number above 0/],
    [given({ ratePerSecond: '5' }), /ratePerSecond/],
    [given({ timeoutMs: 60_001 }), /timeoutMs is not a whole number from 1 to 60000/],
    [given({ retryMs: [-1] }), /retryMs is not a whole number from 0/],
    [given({ retryMs: 5 }), /retryMs is not a list/],
    [given({ failuresMax: 0 }), /failuresMax/],
    [given({ urls: [] }), /^there is no "urls" in a listener, only name, type/],
    [{ callback: 1 }, /^callback is not an object$/],
  ];
  for (const [options, message] of refusals) {
    test(`${JSON.stringify(options).slice(0, 90)} is refused`, () => {
      assert.throws(
        () => define(options),
        (error) => {
          assert.ok(error instanceof ListenerError, String(error));
          assert.match(error.message, message);
          assert.ok(!error.message.includes('hunter2'));
          return true;
        },
      );
    });
  }

  test('that is no object is refused', () => {
    for (const options of [undefined, null, 'https://crm.example/', []]) {
      assert.throws(() => toDefinition(options, { sources: SOURCES, outbound }), ListenerError);
    }
  });
});

describe('the event types of a listener', () => {
  const cases: ReadonlyArray<
    [listener: object, filter: string, matches: readonly string[], others: readonly string[]]
  > = [
    [{ events: [] }, '', ['a'], []],
    [{ events: ['*', 'a'] }, '', ['b'], []],
    [{ event_types: ['a'] }, "event_type == 'a'", ['a'], ['b', 'aa']],
    [{ eventTypes: ['a', 'b'] }, "event_type in ['a', 'b']", ['a', 'b'], ['c']],
    [{ events: ['constructor'] }, "event_type == 'constructor'", ['constructor'], ['a']],
    [{ events: ['order.*'] }, "event_type.startsWith('order.')", ['order.paid'], ['orders']],
    [
      { events: ['EXECUTION'] },
      "event_type.startsWith('WORKFLOW_')",
      ['WORKFLOW_FAILED'],
      ['TASK_FAILED'],
    ],
    [
      { events: ['TASK', 'a'] },
      "event_type == 'a' || event_type.startsWith('TASK_')",
      ['TASK_LAUNCHED', 'a'],
      ['WORKFLOW_FAILED', 'b'],
    ],
    [
      { events: ['*.paid', 'a.*.b'] },
      String.raw`event_type.matches('^.*\u005c.paid$') || event_type.matches('^a\u005c..*\u005c.b$')`,
      ['order.paid', 'a.x.b'],
      ['orderXpaid', 'order.paid.no', 'a.b'],
    ],
    [
      { events: ["it's", 'a"\\'] },
      String.raw`event_type in ['it\u0027s', 'a\u0022\u005c']`,
      ["it's"],
      [],
    ],
    [
      { events: ['a', 'b'], filter: "data == 'Bob' || data == 'Eve'" },
      "(event_type in ['a', 'b']) && (data == 'Bob' || data == 'Eve')",
      ['a'],
      ['c'],
    ],
    [
      { events: ['a'], filter: "data == 'Bob' // or so" },
      "(event_type == 'a') && (data == 'Bob' // or so\n)",
      ['a'],
      ['b'],
    ],
  ];
  for (const [listener, filter, matches, others] of cases) {
    test(`${JSON.stringify(listener)} are a filter [M-03]`, () => {
      const definition = define({ url: URL_OF_CRM, ...listener });
      assert.equal(definition.filter, filter);
      const compiled = compileFilter(filter);
      const isMatch = (type: string) => compiled.evaluate(toFilterInput({ ...bob, type })).matched;
      assert.deepEqual(matches.filter(isMatch), matches);
      assert.deepEqual(others.filter(isMatch), []);
    });
  }
});

describe('outbound in the configuration', () => {
  test('that is not there means that there are no listeners', () => {
    assert.equal(resolve(undefined), undefined);
  });

  test('that is empty has what is built in', () => {
    const resolved = resolve({});
    assert.ok(resolved);
    assert.deepEqual(resolved.listeners, []);
    assert.deepEqual([...resolved.transports.keys()], ['webhook', 'noop']);
    assert.deepEqual([...resolved.dialects.keys()], ['cloudevents', 'json']);
    assert.deepEqual([...resolved.secrets], []);
    assert.deepEqual(resolved.allow.ports, [443]);
  });

  test('has the definitions of its listeners, and secrets with their values', () => {
    process.env.NEXTEVENT_TEST_SET = 'from-outside';
    const resolved = resolve({
      secrets: { SET: env('NEXTEVENT_TEST_SET'), NOT: env('NEXTEVENT_TEST_NOT_SET'), TEXT: 'text' },
      listeners: [{ name: 'crm', url: URL_OF_CRM, headers: { 'x-key': { secret: 'SET' } } }],
    });
    delete process.env.NEXTEVENT_TEST_SET;
    assert.ok(resolved);
    assert.deepEqual(
      [...resolved.secrets],
      [
        ['SET', 'from-outside'],
        ['NOT', undefined],
        ['TEXT', 'text'],
      ],
    );
    assert.equal(resolved.listeners[0]?.name, 'crm');
    assert.deepEqual(resolved.listeners[0]?.sources, ['orders']);
    assert.ok(!JSON.stringify(resolved.listeners).includes('from-outside'));
  });

  const listener = { name: 'crm', url: URL_OF_CRM };
  const memory = { send: async () => ({ isSuccessful: true, message: 'ok' }) };
  const refusals: ReadonlyArray<[options: unknown, message: RegExp]> = [
    [1, /^outbound is not an object$/],
    [{ listener: [] }, /no option "listener" in outbound, only listeners, secrets/],
    [{ listeners: {} }, /^outbound\.listeners is not a list$/],
    [{ listeners: [{ url: URL_OF_CRM }] }, /has no name$/],
    [{ listeners: [listener, listener] }, /^two listeners are called "crm"$/],
    [{ listeners: [{ ...listener, url: 'http://a.example' }] }, /^listener "crm": the url is not/],
    [{ listeners: [{ ...listener, source: 'members' }] }, /^listener "crm": there is no source/],
    [{ secrets: { A: 1 } }, /^outbound\.secrets: A must be text that is not empty/],
    [{ secrets: { A: '' } }, /^outbound\.secrets: A must be/],
    [{ transports: { webhook: memory } }, /^transport "webhook" is built in/],
    [{ transports: { callback: memory } }, /^transport "callback" is built in/],
    [{ transports: { a: {} } }, /^transport "a" is not a transport/],
    [{ transports: { amqp: transports.amqp } }, /^transport "amqp" needs "TOKEN" in outbound/],
    [{ dialects: { json: dialects.partner } }, /^dialect "json" is built in/],
    [{ dialects: { a: { contentType: 'a' } } }, /^dialect "a" is not a dialect/],
    [{ allow: { https: true } }, /no option "https" in outbound\.allow/],
    [{ allow: { addresses: ['here'] } }, /^outbound: "here" is neither an address/],
    [{ allow: { ports: 443 } }, /^outbound: allow\.ports/],
  ];
  for (const [options, message] of refusals) {
    test(`${JSON.stringify(options).slice(0, 80)} is refused`, () => {
      assert.throws(
        () => resolve(options),
        (error) => error instanceof ConfigError && message.test(error.message),
      );
    });
  }

  test('refuses a broker with anything after its address', () => {
    for (const url of ['https://a.example', 'amqp://a.example/vhost', 'amqp://a.example?a=b']) {
      assert.throws(() => amqp({ url }), ListenerError);
    }
    assert.throws(() => amqp({ url: 'amqp://guest:guest@a.example' }), /credentials/);
  });
});

function given(options: object): object {
  return { url: URL_OF_CRM, ...options };
}
