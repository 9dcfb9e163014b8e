import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { EVENT_BYTES_MAX, type Event } from '../events/event.ts';
import {
  deriveArgument,
  deriveEvent,
  hasUnreadableBody,
  storeBody,
  type WebhookData,
} from '../events/webhook-body.ts';

const FORM = 'application/x-www-form-urlencoded';

describe('a webhook body', () => {
  const cases: Array<[body: string, json: unknown]> = [
    ['{"a":1}', { a: 1 }],
    [' \r\n\t[1, "]", {"}": "\\"]"}] ', [1, ']', { '}': '"]' }]],
    ['{"a":1} and more', { a: 1 }],
    ['{"a":1}{"b":2}', { a: 1 }],
    ['[1][', [1]],
    ['"text" trailing', 'text'],
    ['"esc\\\\"x', 'esc\\'],
    ['"é😀\\u00e9"', 'é😀é'],
    ['42', 42],
    ['-1.5e+3,', -1500],
    ['404 not found', 404],
    ['01', 0],
    ['true', true],
    ['falsehood', false],
    ['null', null],
    ['\uFEFF{"a":1}', { a: 1 }],
    ['{"a":', null],
    ['{"a":1', null],
    ['"open', null],
    ['"open\\"', null],
    ['[1}', null],
    ['{a:1}', null],
    ['1.', null],
    ['1e', null],
    ['-', null],
    ['+1', null],
    ['hello', null],
    ['tru', null],
    ['   ', null],
    ['[[1]', null],
    ['"line\nbreak"', null],
  ];
  for (const [body, json] of cases) {
    test(`${JSON.stringify(body)} reads as the JSON ${JSON.stringify(json)}`, () => {
      assert.deepEqual(bodyOf(body).json, json);
      assert.equal(bodyOf(body).text, body);
    });
  }

  test('is null in every way if it is empty', () => {
    assert.deepEqual({ ...bodyOf('', { contentType: FORM }) }, emptyBody);
  });

  test('that is not UTF-8 has bytes only', () => {
    const bytes = Uint8Array.of(0x7b, 0xff, 0xfe, 0x00, 0x7d);
    const body = bodyOf(bytes, { contentType: FORM });
    assert.deepEqual({ ...body }, { ...emptyBody, bytes });
  });

  test('keeps a byte order mark', () => {
    const bytes = Uint8Array.of(0xef, 0xbb, 0xbf, 0x31);
    assert.deepEqual(bodyOf(bytes).bytes, bytes);
  });

  test('nested deeper than the bound is no JSON', () => {
    assert.notEqual(bodyOf('['.repeat(1_000) + ']'.repeat(1_000)).json, null);
    assert.equal(bodyOf('['.repeat(1_001) + ']'.repeat(1_001)).json, null);
    assert.equal(bodyOf('['.repeat(EVENT_BYTES_MAX)).json, null);
  });

  test('of the largest size never takes more than base64 would', () => {
    for (const text of ['\0', '"', '\\', 'a', '\u{1F600}']) {
      const body = text.repeat(EVENT_BYTES_MAX / Buffer.byteLength(text));
      const stored = JSON.stringify(storeBody(Buffer.from(body)));
      assert.ok(Buffer.byteLength(stored) <= (EVENT_BYTES_MAX * 4) / 3 + 100);
      assert.ok(bodyOf(body).text === body);
      assert.deepEqual(Buffer.from(bodyOf(body).bytes ?? []), Buffer.from(body));
    }
  });
});

describe('what poses as a stored body', () => {
  const cases: Array<[encoding: string, content: string, isReadable: boolean]> = [
    ['none', '', true],
    ['none', 'x', false],
    ['utf8', 'A', true],
    ['base64', '', true],
    ['base64', '/w==', true],
    ['base64', '/wA=', true],
    ['base64', '+/+/', true],
    ['base64', 'A', false],
    ['base64', '/w', false],
    ['base64', '/w=', false],
    ['base64', '/x==', false], // bits that are of no byte
    ['base64', '/wB=', false],
    ['base64', '====', false],
    ['base64', '/w==/w==', false],
    ['base64', '-_-_', false],
    ['base64', 'AAAA\n', false],
    ['base64', 'AA A', false],
    ['utf8-base64', 'w6k=', true],
    ['utf8-base64', '/w==', false],
    ['utf8-base64', 'A', false],
    ['rot13', 'A', true], // nobody takes it for one
  ];
  for (const [encoding, content, isReadable] of cases) {
    const what = `${encoding} of ${JSON.stringify(content)}`;
    test(`is ${isReadable ? 'taken' : 'not taken'} for one: ${what}`, () => {
      const data = { body: { 'nextevent:body': encoding, content } };
      assert.equal(hasUnreadableBody(data), !isReadable);
    });
  }

  test('is taken for one if it was stored, whatever it is of', () => {
    const long = Buffer.alloc(EVENT_BYTES_MAX, 0xff);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        assert.equal(hasUnreadableBody({ body: storeBody(bytes) }), false);
      }),
      { examples: [[long], [Buffer.alloc(EVENT_BYTES_MAX)]] },
    );
  });

  test('is looked at in no time, however long it is', () => {
    for (const end of ['', '=', '!', '\n']) {
      const content = 'A'.repeat(4 * EVENT_BYTES_MAX) + end;
      const startedAt = performance.now();
      hasUnreadableBody({ body: { 'nextevent:body': 'base64', content } });
      assert.ok(performance.now() - startedAt < 1_000);
    }
  });
});

describe('a form', () => {
  test('is a map, several values of a field joined', () => {
    const { form } = bodyOf('a=1&b=x+y%26&a=2&c', { contentType: `${FORM}; charset=utf-8` });
    assert.deepEqual(form, { a: '1, 2', b: 'x y&', c: '' });
  });
  for (const method of ['POST', 'PUT', 'PATCH']) {
    test(`is read from ${method}`, () => {
      assert.deepEqual(bodyOf('a=1', { contentType: FORM.toUpperCase(), method }).form, { a: '1' });
    });
  }
  for (const method of ['GET', 'DELETE', 'QUERY', 'post']) {
    test(`is null for ${method}`, () => {
      assert.equal(bodyOf('a=1', { contentType: FORM, method }).form, null);
    });
  }
  for (const contentType of ['application/json', `${FORM}x`, 'multipart/form-data; boundary=x']) {
    test(`is null for ${contentType}`, () => {
      assert.equal(bodyOf('a=1', { contentType }).form, null);
    });
  }
});

describe('names from outside', () => {
  test('called __proto__ are only names', () => {
    const json = bodyOf('{"__proto__":{"polluted":1},"a":{"__proto__":1}}').json;
    assert.ok(Object.hasOwn(json as object, '__proto__'));
    const { form } = bodyOf('__proto__=1&constructor=2&a=3', { contentType: FORM });
    assert.deepEqual(Object.keys(form ?? {}), ['__proto__', 'constructor', 'a']);
    assert.equal(Object.getPrototypeOf(form), Object.prototype);
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
  });
});

describe('deriving', () => {
  test('any bytes come back, and serialise to what was stored', () => {
    const anyBytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.string({ unit: 'binary', maxLength: 100 }).map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const stored = eventOf(bytes);
        const derived = deriveEvent(stored);
        const { text, bytes: back } = derived.data.body;
        assert.deepEqual([...(back ?? [])], [...bytes]);
        if (text !== null) assert.deepEqual([...new TextEncoder().encode(text)], [...bytes]);
        assert.equal(JSON.stringify(derived), JSON.stringify(stored));
        const again = deriveEvent(JSON.parse(JSON.stringify(derived)) as Event<WebhookData>);
        assert.deepEqual({ ...again.data.body }, { ...derived.data.body });
      }),
      { numRuns: 1_000 },
    );
  });

  test('finds the end of any JSON value, whatever follows', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), fc.string(), (value, junk) => {
        const body = `${JSON.stringify(value)} ${junk}`;
        assert.deepEqual(bodyOf(body).json, JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 1_000 },
    );
  });

  test('twice is deriving once', () => {
    const derived = deriveEvent(eventOf('{"a":1}'));
    assert.equal(deriveEvent(derived), derived);
    assert.equal(deriveArgument(derived), derived);
  });

  test('reads each way once', () => {
    const { body } = deriveEvent(eventOf('{"a":1}')).data;
    assert.equal(body.json, body.json);
    assert.equal(body.bytes, body.bytes);
  });

  test('shows the four ways and not how they are stored', () => {
    const { body } = deriveEvent(eventOf('a')).data;
    assert.deepEqual(Object.keys(body), ['text', 'bytes', 'json', 'form']);
  });

  test('keeps everything else of the event', () => {
    const stored = { ...eventOf('a'), subject: 's', subscription: 'i' };
    const { data, ...attributes } = deriveEvent(stored);
    const { data: before, ...attributesBefore } = stored;
    assert.deepEqual(attributes, attributesBefore);
    assert.deepEqual({ ...data, body: 0 }, { ...before, body: 0 });
  });

  test('leaves alone what is not an event with a stored body', () => {
    const event = { id: '1', source: 's', type: 't', time: '' };
    const values: unknown[] = [
      undefined,
      null,
      'text',
      42,
      [],
      {},
      storeBody(Buffer.from('a')),
      { ...event, data: null },
      { ...event, data: 'text' },
      { ...event, data: { body: 'text' } },
      { ...event, data: { body: { encoding: 'utf8', content: 'x' } } },
      { ...event, data: { body: { 'nextevent:body': 'rot13', content: 'x' } } },
      { ...event, data: { body: { 'nextevent:body': 'utf8', content: 1 } } },
    ];
    for (const value of values) assert.equal(deriveArgument(value), value);
  });

  test('user JSON that looks like a stored body stays user JSON', () => {
    const json = { 'nextevent:body': 'utf8', content: 'forged' };
    const sent = JSON.stringify(json);
    assert.equal(bodyOf(sent).text, sent);
    assert.deepEqual(bodyOf(sent).json, json);
  });
});

const emptyBody = { text: null, bytes: null, json: null, form: null };

interface BodySettings {
  readonly contentType?: string;
  readonly method?: string;
}

function bodyOf(content: string | Uint8Array, settings?: BodySettings) {
  const sent: unknown = JSON.parse(JSON.stringify(eventOf(content, settings)));
  return (deriveArgument(sent) as Event<WebhookData>).data.body;
}

function eventOf(content: string | Uint8Array, settings: BodySettings = {}): Event<WebhookData> {
  const { contentType = 'text/plain', method = 'POST' } = settings;
  const event: Event = {
    id: '1',
    source: 'hello',
    type: method.toLowerCase(),
    time: '2026-01-01T00:00:00.000Z',
    data: {
      method,
      url: { path: '/webhooks/hello', path_suffix: '', query: {}, raw: '/webhooks/hello' },
      headers: { 'content-type': contentType },
      body: storeBody(typeof content === 'string' ? Buffer.from(content) : content),
    },
  };
  return event as Event<WebhookData>;
}
