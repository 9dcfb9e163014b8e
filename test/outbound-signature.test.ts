// Signatures of what goes out, held against the vectors and the packages of those who verify them.

import assert from 'node:assert/strict';
import { after, afterEach, describe, mock, test } from 'node:test';

import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';

import { toDefinition } from '../config/outbound.ts';
import { KeyError, toSign, toVerify } from '../events/signature.ts';
import { standardWebhooks } from '../nextevent.ts';
import { toWebhookId } from '../outbound/request.ts';
import { toRequest } from './sources.ts';
import {
  attemptOf,
  bob,
  outboundOf,
  SOURCES,
  startReceiver,
  stopReceivers,
  type Seen,
} from './outbound.ts';

after(stopReceivers);
afterEach(() => mock.timers.reset());

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const OTHER = 'whsec_plJ3nmyCDGBKInavdOK15jsl';
const PRIVATE =
  'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==';
const PUBLIC = 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=';
const NO_PEM = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----';

const secrets = { KEY: SECRET, OLD: OTHER, PRIVATE, WRONG: 'whsec_*' };

/** What a receiver sees of a listener with these keys. */
async function signed(signing: unknown, event = bob): Promise<Seen> {
  const receiver = await startReceiver();
  const record = await attemptOf(
    outboundOf({ secrets }),
    { url: receiver.url, signing },
    { event },
  );
  assert.equal(record.message, '200 OK');
  const [seen] = receiver.seen;
  assert.ok(seen);
  // A signature is no secret: whoever looks into a delivery may want to verify it.
  assert.equal(record.request.headers['webhook-signature'], seen.headers['webhook-signature']);
  return seen;
}

describe('a signature', () => {
  const vectors: ReadonlyArray<
    [key: string, verifies: string, parts: string[], signature: string]
  > = [
    [
      SECRET,
      SECRET,
      ['msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.', '{"test": 2432232314}'],
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    ],
    [
      PRIVATE,
      PUBLIC,
      ['msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.', '{"test": 2432232314}'],
      'v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==',
    ],
    [
      OTHER,
      OTHER,
      ['msg_loFOjxBNrRLzqYUf.1731705121.', '{"event_type":"ping","data":{"success":true}}'],
      'v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=',
    ],
  ];
  for (const [key, verifies, parts, signature] of vectors) {
    test(`of ${signature.slice(0, 12)}... is that of the published vector`, () => {
      assert.equal(toSign(key)(parts), signature);
      assert.equal(toVerify(verifies)(signature, parts), true);
      assert.equal(toVerify(verifies)(signature, [...parts, ' ']), false);
    });
  }

  for (const key of [PUBLIC, '', 'whsec_', 'whsec_*', 'whsk_AAAA', 'whsk_*', NO_PEM]) {
    test(`is not made with ${JSON.stringify(key.slice(0, 12))}`, () => {
      assert.throws(
        () => toSign(key),
        (error) => error instanceof KeyError && !/AAAA|1SiA4|\*/.test(error.message),
      );
    });
  }
});

describe('a signed request', () => {
  test('verifies by the packages standardwebhooks and svix', async () => {
    const { body, headers } = await signed('KEY', { ...bob, data: { name: 'Bøb \u2028 "x"' } });
    new StandardWebhook(SECRET).verify(body, headers);
    new SvixWebhook(SECRET).verify(body, headers);
    assert.throws(() => new StandardWebhook(OTHER).verify(body, headers));
    assert.throws(() => new SvixWebhook(SECRET).verify(`${body} `, headers));
  });

  test('verifies by a source of this package, with a secret and with a public key', async () => {
    for (const [signing, secret] of [
      ['KEY', SECRET],
      ['PRIVATE', PUBLIC],
    ] as const) {
      const { body, headers } = await signed(signing);
      const source = standardWebhooks({ secret });
      const received = await source.receive(
        toRequest({ method: 'POST', suffix: '', headers, body }),
      );
      assert.ok('events' in received);
      assert.equal(received.events[0]?.id, headers['webhook-id']);
    }
  });

  test('has a signature of every key that is not over, in their order', async () => {
    const soon = new Date(Date.now() + 60_000).toISOString();
    const before = new Date(Date.now() - 1_000).toISOString();
    const { body, headers } = await signed(['PRIVATE', { secret: 'OLD', until: soon }]);
    assert.match(headers['webhook-signature'] ?? '', /^v1a,\S+ v1,\S+$/);
    new StandardWebhook(OTHER).verify(body, headers);
    const rotated = await signed(['KEY', { secret: 'OLD', until: before }]);
    assert.match(rotated.headers['webhook-signature'] ?? '', /^v1,\S+$/);
    new StandardWebhook(SECRET).verify(rotated.body, rotated.headers);
    assert.throws(() => new StandardWebhook(OTHER).verify(rotated.body, rotated.headers));
  });

  test('has the same id at every attempt, and the time of its own', async () => {
    mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-11-21T12:00:00Z') });
    const first = await signed('KEY');
    mock.timers.setTime(Date.parse('2026-11-21T17:00:00Z'));
    const second = await signed('KEY');
    assert.equal(first.headers['webhook-id'], second.headers['webhook-id']);
    assert.equal(first.headers['webhook-id'], toWebhookId(bob));
    assert.equal(first.headers['webhook-timestamp'], '1795262400');
    assert.equal(second.headers['webhook-timestamp'], '1795280400');
    assert.notEqual(first.headers['webhook-signature'], second.headers['webhook-signature']);
    new StandardWebhook(SECRET).verify(second.body, second.headers);
    assert.throws(() => new StandardWebhook(SECRET).verify(first.body, first.headers));
  });

  test('has another id for another event', () => {
    const ids = [bob, { ...bob, id: 'e-2' }, { ...bob, source: 'orders' }].map(toWebhookId);
    assert.equal(new Set(ids).size, 3);
    for (const id of ids) assert.match(id, /^msg_[\w-]{43}$/);
  });

  test('is not sent when every key is over, or one signs nothing', async () => {
    const receiver = await startReceiver();
    const { url } = receiver;
    const outbound = outboundOf({ secrets });
    const over = await attemptOf(outbound, {
      url,
      signing: [{ secret: 'KEY', until: '2026-01-01T00:00:00Z' }],
    });
    assert.equal(over.message, 'every signing key is over');
    // Its value was another one, or not there, when the definition was taken.
    const definition = toDefinition({ url, signing: 'KEY' }, { sources: SOURCES, outbound });
    const changed = outboundOf({ secrets: { KEY: secrets.WRONG } });
    const wrong = await attemptOf(changed, { url }, { definition });
    assert.equal(wrong.message, 'the secret "KEY" signs nothing: it is no whsec_ or whsk_ key');
    assert.equal(wrong.isFinal, undefined);
    assert.equal(receiver.connections, 0);
  });

  test('that nobody asked for is not signed, but named', async () => {
    const receiver = await startReceiver();
    await attemptOf(outboundOf({ secrets }), { url: receiver.url });
    const names = Object.keys(receiver.seen[0]?.headers ?? {});
    assert.deepEqual(names.filter((name) => name.startsWith('webhook-')).toSorted(), [
      'webhook-id',
      'webhook-timestamp',
    ]);
  });
});
