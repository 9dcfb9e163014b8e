// One attempt: what a receiver may do, what is sent, and what is on record of both.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { toDefinition } from '../config/outbound.ts';
import { toWebhookId } from '../outbound/request.ts';
import { RECORDED_BODY_BYTES_MAX } from '../events/listener.ts';
import { defineTransport, type OutboundRequest } from '../nextevent.ts';
import { until } from '../testing/until.ts';
import {
  attemptOf,
  bob,
  outboundOf,
  SOURCES,
  startRawReceiver,
  startReceiver,
  stopReceivers,
} from './outbound.ts';

after(stopReceivers);

const LARGE = Buffer.alloc(1024 * 1024, 'x');

describe('a receiver that', () => {
  test('answers 2xx has the event', async () => {
    for (const [status, message] of [
      [200, '200 OK'],
      [201, '201 Created'],
      [204, '204 No Content'],
      [299, '299'],
    ] as const) {
      const receiver = await startReceiver((response) => response.writeHead(status).end());
      const record = await attemptOf(outboundOf(), { url: receiver.url });
      assert.equal(record.isSuccessful, true);
      assert.equal(record.message, message);
      assert.equal(record.response?.status, status);
    }
  });

  const refusals: ReadonlyArray<[status: number, message: string]> = [
    [301, '301 Moved Permanently: redirects are not followed'],
    [307, '307 Temporary Redirect: redirects are not followed'],
    [400, '400 Bad Request'],
    [404, '404 Not Found'],
    [500, '500 Internal Server Error'],
    [599, '599'],
  ];
  for (const [status, message] of refusals) {
    test(`answers ${status} does not, which is a result [N-16]`, async () => {
      const receiver = await startReceiver((response) => {
        response.writeHead(status, 'Something else', { 'x-why': 'because' }).end('no');
      });
      const record = await attemptOf(outboundOf(), { url: receiver.url });
      assert.equal(record.isSuccessful, false);
      assert.equal(record.message, message);
      assert.equal(record.response?.body, 'no');
      assert.equal(record.response?.headers['x-why'], 'because');
      assert.equal(record.isGone, undefined);
      assert.equal(record.isFinal, undefined);
      assert.equal(record.retryAfterMs, undefined);
    });
  }

  test('answers 410 wants no more', async () => {
    const receiver = await startReceiver((response) => response.writeHead(410).end());
    const record = await attemptOf(outboundOf(), { url: receiver.url });
    assert.equal(record.message, '410 Gone');
    assert.equal(record.isGone, true);
  });

  test('says when it wants the next attempt is heard', async () => {
    const inAMinute = new Date(Date.now() + 60_000).toUTCString();
    const cases: ReadonlyArray<[value: string, from: number | undefined, to: number | undefined]> =
      [
        ['120', 120_000, 120_000],
        ['0', 0, 0],
        [inAMinute, 50_000, 60_000],
        ['Wed, 21 Oct 2015 07:28:00 GMT', 0, 0],
        ['999999999', 7 * 86_400_000, 7 * 86_400_000],
        ['-5', undefined, undefined],
        ['2026', 2_026_000, 2_026_000],
        ['soon', undefined, undefined],
      ];
    for (const [value, from, to] of cases) {
      const receiver = await startReceiver((response) => {
        response.writeHead(429, { 'retry-after': value }).end();
      });
      const { message, retryAfterMs } = await attemptOf(outboundOf(), { url: receiver.url });
      assert.equal(message, '429 Too Many Requests');
      if (from === undefined || to === undefined) assert.equal(retryAfterMs, undefined, value);
      else assert.ok(retryAfterMs! >= from && retryAfterMs! <= to, `${value}: ${retryAfterMs}`);
    }
  });

  test('never answers is given up on when the time is over', async () => {
    const receiver = await startReceiver(() => {});
    const record = await attemptOf(outboundOf(), { url: receiver.url, timeoutMs: 300 });
    assert.equal(record.message, 'no answer within 0.3 s');
    assert.equal(record.isSuccessful, false);
    assert.equal(record.response, undefined);
    assert.ok(record.durationMs >= 290 && record.durationMs < 30_000, String(record.durationMs));
  });

  test('takes connections and nothing else is given up on, too', async () => {
    const receiver = await startRawReceiver(() => {});
    const record = await attemptOf(outboundOf(), { url: receiver.url, timeoutMs: 300 });
    assert.equal(record.message, 'no answer within 0.3 s');
  });

  test('sends its head one byte at a time is given up on, too', async () => {
    const receiver = await startRawReceiver((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nx-slow: ');
      const timer = setInterval(() => socket.write('a'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    const record = await attemptOf(outboundOf(), { url: receiver.url, timeoutMs: 300 });
    assert.equal(record.message, 'no answer within 0.3 s');
    assert.equal(record.isSuccessful, false);
  });

  test('does not listen refuses', async () => {
    const receiver = await startReceiver();
    const { url } = receiver;
    await new Promise((resolve) => receiver.server.close(resolve));
    const record = await attemptOf(outboundOf(), { url });
    assert.equal(record.message, 'connection refused');
  });

  test('resets the connection has not answered', async () => {
    const receiver = await startRawReceiver((socket) => socket.resetAndDestroy());
    const record = await attemptOf(outboundOf(), { url: receiver.url });
    assert.equal(record.message, 'the connection was reset');
  });

  test('closes the connection has not answered', async () => {
    const receiver = await startRawReceiver((socket) => socket.end());
    const record = await attemptOf(outboundOf(), { url: receiver.url });
    assert.equal(record.message, 'the connection was closed before there was an answer');
  });

  test('speaks something else has not answered', async () => {
    for (const garbage of [
      'SSH-2.0-OpenSSH_9.2\r\n',
      '\0\x01\x02\x03\x04\x05\x06\x07\r\n\r\n',
      '{}',
    ]) {
      const receiver = await startRawReceiver((socket) => socket.end(garbage));
      const record = await attemptOf(outboundOf(), { url: receiver.url });
      assert.equal(record.message, 'the answer is not HTTP', JSON.stringify(garbage));
    }
  });

  test('sends too many headers has not answered', async () => {
    const receiver = await startRawReceiver((socket) => {
      socket.end(`HTTP/1.1 200 OK\r\n${'x-a: aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n'.repeat(4_000)}\r\n`);
    });
    const record = await attemptOf(outboundOf(), { url: receiver.url });
    assert.equal(record.message, 'the headers of the answer are too large');
  });

  test('answers with more than anybody wants is read to a limit, and cut off', async () => {
    let sent = 0;
    let isClosed = false;
    const receiver = await startReceiver((response) => {
      response.writeHead(200, { 'content-length': String(1024 * LARGE.length) });
      response.on('close', () => {
        isClosed = true;
      });
      const more = (): void => {
        while (!response.destroyed && sent < 1024 && response.write(LARGE)) sent += 1;
      };
      response.on('drain', more);
      response.on('error', () => {});
      more();
    });
    const record = await attemptOf(outboundOf(), { url: receiver.url });
    assert.equal(record.isSuccessful, true);
    assert.equal(record.response?.body.length, RECORDED_BODY_BYTES_MAX);
    assert.equal(record.response?.isCut, true);
    await until('the receiver sees that nobody reads on', () => isClosed);
    assert.ok(sent < 64, `${sent} MiB were taken`);
  });

  for (const [status, isSuccessful] of [
    [200, true],
    [500, false],
  ] as const) {
    test(`breaks off in the body has answered ${status} all the same`, async () => {
      const receiver = await startReceiver((response) => {
        response.writeHead(status, { 'content-length': '1000' });
        response.write('the beginning', () => response.destroy());
      });
      const record = await attemptOf(outboundOf(), { url: receiver.url });
      assert.equal(record.isSuccessful, isSuccessful);
      assert.equal(record.response?.status, status);
      assert.equal(record.response?.isCut, true);
    });

    test(`stops in the body has answered ${status} when the time is over`, async () => {
      const receiver = await startReceiver((response) => {
        response.writeHead(status, { 'content-length': '1000' });
        response.write('the beginning');
      });
      const record = await attemptOf(outboundOf(), { url: receiver.url, timeoutMs: 2_000 });
      assert.equal(record.isSuccessful, isSuccessful);
      assert.equal(record.response?.body, 'the beginning');
      assert.equal(record.response?.isCut, true);
    });
  }

  test('compresses what was asked for as it is is not decompressed', async () => {
    const bomb = gzipSync(Buffer.alloc(10 * 1024 * 1024));
    const receiver = await startReceiver((response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
    });
    const record = await attemptOf(outboundOf(), { url: receiver.url });
    assert.equal(record.message, '200 OK');
    assert.ok(Buffer.byteLength(record.response?.body ?? '') <= 3 * RECORDED_BODY_BYTES_MAX);
  });
});

describe('the record of an attempt', () => {
  test('has the request as it was sent [N-15, N-17, N-18]', async () => {
    const receiver = await startReceiver((response) => response.end('thanks'));
    const before = Date.now();
    const record = await attemptOf(outboundOf(), {
      url: receiver.url,
      dialect: 'json',
      headers: { 'X-Shop': 'main' },
    });
    const { headers, ...request } = record.request;
    assert.deepEqual(request, { url: receiver.url, method: 'POST', body: '"Bob"' });
    assert.match(headers['User-Agent'] ?? '', /^nextevent\/\d/);
    assert.deepEqual(headers, {
      Host: `127.0.0.1:${receiver.port}`,
      Accept: '*/*',
      'Accept-Encoding': 'identity',
      Connection: 'keep-alive',
      'Content-Length': '5',
      'Content-Type': 'application/json',
      'User-Agent': headers['User-Agent'],
      'X-Shop': 'main',
      'webhook-id': toWebhookId(bob),
      'webhook-timestamp': headers['webhook-timestamp'],
    });
    assert.ok(Number(headers['webhook-timestamp']) >= Math.floor(before / 1_000));
    const [seen] = receiver.seen;
    assert.equal(seen?.body, '"Bob"');
    assert.equal(seen?.method, 'POST');
    const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
    assert.deepEqual(seen?.headers, Object.fromEntries(lower));
    assert.equal(record.response?.body, 'thanks');
    assert.equal(record.reason, 'event');
    assert.ok(Date.parse(record.startedAt) >= before);
    assert.ok(Number.isInteger(record.durationMs));
  });

  test('says by which method and with which headers [M-08, M-09]', async () => {
    const receiver = await startReceiver();
    const outbound = outboundOf({ secrets: { CRM_TOKEN: 'abc123-token' } });
    const record = await attemptOf(outbound, {
      url: receiver.url,
      method: 'PUT',
      headers: {
        authorization: { secret: 'CRM_TOKEN', prefix: 'Bearer ' },
        'user-agent': 'shop/1',
        accept: 'text/plain',
      },
    });
    assert.equal(receiver.seen[0]?.method, 'PUT');
    assert.equal(receiver.seen[0]?.headers.authorization, 'Bearer abc123-token');
    assert.equal(receiver.seen[0]?.headers['user-agent'], 'shop/1');
    assert.equal(receiver.seen[0]?.headers.accept, 'text/plain');
    assert.equal(record.request.headers.authorization, 'Bearer ***');
  });

  test('has no secret, wherever it turns up, in any form', async () => {
    const token = 'tök"en/+ with\\ ends?';
    const key = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    const forms = [
      token,
      JSON.stringify(token),
      encodeURIComponent(token),
      Buffer.from(token).toString('base64'),
      key,
      key.slice('whsec_'.length),
    ];
    const receiver = await startReceiver((response) => {
      response.setHeader('x-echo', encodeURIComponent(token));
      response.setHeader('set-cookie', 'session=secret-of-the-receiver');
      response.end(`${'é'.repeat(10_000)}${forms.join(' | ')}`);
    });
    const outbound = outboundOf({ secrets: { TOKEN: token, KEY: key, OTHER: 'tök' } });
    const record = await attemptOf(
      outbound,
      {
        url: `${receiver.url}?token=${encodeURIComponent(token)}`,
        headers: { 'x-key': { secret: 'KEY' } },
        signing: 'KEY',
      },
      { event: { ...bob, data: { forms } } },
    );
    assert.equal(record.message, '200 OK');
    const text = JSON.stringify(record);
    for (const form of forms) assert.ok(!text.includes(JSON.stringify(form).slice(1, -1)), form);
    assert.ok(!text.includes('secret-of-the-receiver'));
    assert.match(record.response?.body ?? '', /é\*\*\* \| "\*\*\*" \| \*\*\*/);
    assert.equal(record.request.headers['x-key'], '***');
    assert.match(record.request.url, /token=\*\*\*$/);
  });

  const key = 'whsk_a+b/c=';
  const odd = 'p+w d/<é😀>&\'"\\n%2f~\n';
  const spellings: Array<[by: string, secret: string, written: string]> = [
    ['nobody', odd, odd],
    ['JavaScript as JSON', odd, inJson(odd)],
    ['PHP as JSON', odd, inJson(odd).replaceAll('/', String.raw`\/`)],
    [
      '.NET as JSON',
      odd,
      inJson(odd).replaceAll(/\\"|[^\w\\ /%~"]/gu, (one) => escaped(one.replace('\\', ''))),
    ],
    [
      '... in lower case',
      odd,
      inJson(odd).replaceAll(/[+<>&'é😀]/gu, (one) => escaped(one, 'lower')),
    ],
    ['who escapes all of it', odd, escaped(odd)],
    ['JavaScript in a URL', odd, encodeURIComponent(odd)],
    ['... in lower case', odd, inLowerCase(encodeURIComponent(odd))],
    ['... but for what a URL may have', odd, encodeURI(odd)],
    ['... in lower case', odd, inLowerCase(encodeURI(odd))],
    ['a form', odd, new URLSearchParams({ odd }).toString().slice('odd='.length)],
    ['... in lower case', odd, inLowerCase(new URLSearchParams({ odd }).toString()).slice(4)],
    ['PHP as JSON, of a key alone', key, String.raw`a+b\/c=`],
    ['.NET as JSON, of a key alone', key, String.raw`a\u002Bb/c=`],
    ['PHP as JSON, in base64', 'a~?a~?', String.raw`YX4\/YX4\/`],
    ['a URL, in base64', 'a~?a~?', 'YX4%2fYX4%2F'],
  ];
  for (const [by, secret, written] of spellings) {
    test(`has no secret as it is written by ${by}: ${written}`, async () => {
      const receiver = await startReceiver((response) => response.end(`é\\"${written}"😀`));
      // One that begins like it would leave the rest of it.
      const outbound = outboundOf({ secrets: { SECRET: secret, OTHER: secret.slice(0, 3) } });
      const { response } = await attemptOf(outbound, { url: receiver.url });
      assert.equal(response?.body, 'é\\"***"😀');
    });
  }

  test('has what looks like an escape as it came, and is no secret', async () => {
    const body = String.raw`\ud83d \q 100% +1 \u00e9 %E9 C:\new\u12`;
    const receiver = await startReceiver((response) => response.end(body));
    const { response } = await attemptOf(outboundOf({ secrets: { KEY: 'x/y' } }), {
      url: receiver.url,
    });
    assert.equal(response?.body, body);
  });

  test('has no part of a secret that the end of what is kept falls into', async () => {
    const secret = 'S'.repeat(500);
    const symbols = '<+'.repeat(2_500);
    for (const [held, written] of [
      [secret, secret],
      [symbols, escaped(symbols)],
    ] as const) {
      for (const before of [RECORDED_BODY_BYTES_MAX - 250, RECORDED_BODY_BYTES_MAX - 501, 19_000]) {
        const receiver = await startReceiver((response) => {
          response.end(`${'a'.repeat(before)}${written}${'b'.repeat(40_000)}`);
        });
        const outbound = outboundOf({ secrets: { LONG: held } });
        const { response } = await attemptOf(outbound, { url: receiver.url });
        assert.equal(response?.isCut, true);
        assert.doesNotMatch(response.body, /SS|u00/);
        assert.ok(response.body.startsWith(`${'a'.repeat(before)}***`));
      }
    }
  });

  test('has bodies up to a limit that cuts no character in two', async () => {
    const receiver = await startReceiver((response) => response.end(`a${'é'.repeat(20_000)}`));
    const data = `a${'é'.repeat(20_000)}`;
    const record = await attemptOf(
      outboundOf(),
      { url: receiver.url, dialect: 'json' },
      { event: { ...bob, data } },
    );
    assert.equal(receiver.seen[0]?.body, JSON.stringify(data));
    assert.equal(record.request.isCut, true);
    assert.ok(!record.request.body.includes('\ufffd'));
    assert.equal(Buffer.byteLength(record.response?.body ?? ''), RECORDED_BODY_BYTES_MAX - 1);
    assert.equal(record.response?.isCut, true);
  });

  test('says which secret is missing, and shows no other', async () => {
    const receiver = await startReceiver();
    const secrets = { TOKEN: 'known-token', LATE: { env: 'NEXTEVENT_TEST_NOT_SET' } };
    const record = await attemptOf(outboundOf({ secrets }), {
      url: receiver.url,
      headers: { 'x-late': { secret: 'LATE', prefix: 'v1 ' }, 'x-token': { secret: 'TOKEN' } },
    });
    assert.equal(record.message, 'the secret "LATE" is not set');
    assert.equal(record.isSuccessful, false);
    assert.equal(record.isFinal, undefined);
    assert.deepEqual(record.request, {
      url: receiver.url,
      method: 'POST',
      headers: { 'x-late': 'v1 ***', 'x-token': '***' },
      body: '',
    });
    assert.equal(receiver.connections, 0);
  });
});

describe('a transport', () => {
  test('of the configuration is given the request, and says what came of it [M-06, M-10]', async () => {
    const requests: OutboundRequest[] = [];
    const memory = defineTransport({
      async send(request) {
        requests.push(request);
        return { isSuccessful: true, message: `kept with ${request.secret('PIN')}` };
      },
    });
    const outbound = outboundOf({ transports: { memory }, secrets: { PIN: '987654' } });
    const record = await attemptOf(outbound, { type: 'memory', url: 'memory:here' });
    assert.equal(record.message, 'kept with ***');
    assert.equal(record.isSuccessful, true);
    const [request] = requests;
    assert.equal(request?.url, 'memory:here');
    assert.equal(request?.event, bob);
    assert.match(request?.id ?? '', /^msg_[\w-]{43}$/);
    assert.equal(JSON.parse(Buffer.from(request?.body ?? '').toString()).data, 'Bob');
  });

  test('that throws is a failed attempt, in one line without a stack', async () => {
    const broken = defineTransport({
      async send() {
        throw new Error('the disk is full of PIN-1234\nat disk.ts:1');
      },
    });
    const outbound = outboundOf({ transports: { broken }, secrets: { PIN: 'PIN-1234' } });
    const record = await attemptOf(outbound, { type: 'broken', url: 'x' });
    assert.equal(record.message, 'the disk is full of ***');
    assert.equal(record.isFinal, undefined);
  });

  test('that takes no notice of the time is left alone', async () => {
    const deaf = defineTransport({ send: () => new Promise(() => {}) });
    const outbound = outboundOf({ transports: { deaf } });
    const record = await attemptOf(outbound, { type: 'deaf', url: 'x', timeoutMs: 50 });
    assert.equal(record.message, 'no answer within 0.05 s');
  });

  test('noop sends nothing, and is successful [M-35]', async () => {
    const record = await attemptOf(outboundOf(), { type: 'noop', url: 'nowhere' });
    assert.equal(record.isSuccessful, true);
    assert.equal(record.message, 'not sent');
  });

  test('that this worker does not have is tried again: another one may have it', async () => {
    const memory = defineTransport({ send: async () => ({ isSuccessful: true, message: 'ok' }) });
    const before = outboundOf({ transports: { memory } });
    const listener = { type: 'memory', url: 'x' };
    const definition = toDefinition(listener, { sources: SOURCES, outbound: before });
    const record = await attemptOf(outboundOf(), { type: 'noop', url: 'x' }, { definition });
    assert.equal(record.message, 'the configuration has no transport "memory"');
    assert.deepEqual([record.isSuccessful, record.isFinal], [false, undefined]);
  });
});

describe('a mock', () => {
  test('answers in place of the receiver, and the record is the same [N-20]', async () => {
    const mocks = {
      find: ({ url, method }: { readonly url: string; readonly method: string }) =>
        url === 'https://example.com/some/path' && method === 'POST'
          ? { status: 404, body: 'nobody' }
          : undefined,
    };
    const listener = { url: 'https://example.com/some/path', dialect: 'json' };
    const record = await attemptOf(outboundOf(), listener, { mocks });
    assert.equal(record.message, '404 Not Found');
    assert.equal(record.response?.body, 'nobody');
    assert.equal(record.request.headers['Content-Length'], '5');
    assert.equal(record.request.headers.Connection, 'keep-alive');
  });
});

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** By the number of each of its characters. */
function escaped(text: string, letterCase: 'lower' | 'upper' = 'upper'): string {
  const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at).toString(16));
  const digits = units.map((unit) => unit.padStart(4, '0'));
  return digits.map((unit) => `\\u${letterCase === 'lower' ? unit : unit.toUpperCase()}`).join('');
}

function inLowerCase(url: string): string {
  return url.replaceAll(/%../g, (escape) => escape.toLowerCase());
}
