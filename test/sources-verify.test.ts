// Every scheme against what its vendor published or runs, and against those who would get past it.

import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { afterEach, describe, mock, test } from 'node:test';

import { LinearWebhookClient } from '@linear/sdk/webhooks';
import * as octokit from '@octokit/webhooks-methods';
import { EventWebhook } from '@sendgrid/eventwebhook';
import { verifyKey } from 'discord-interactions';
import { Webhook } from 'standardwebhooks';
import { Stripe } from 'stripe';
import twilio from 'twilio';

import type { Draft, Received, Source } from '../ingress/sources/source.ts';
import * as sources from '../nextevent.ts';
import { KINDS, signedBody, signedSample, toRequest, TWILIO_URL, type Kind } from './sources.ts';

afterEach(() => mock.timers.reset());

/** What stands before a signature, and the signature. */
const SIGNATURE = /^(sha\d+=|v0=|v1a?,|t=\d+,v1=)?(.*)$/s;

const JSON_TYPE = { 'content-type': 'application/json' };
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };

const unsignedDraft: Draft = { method: 'POST', suffix: '', headers: JSON_TYPE, body: '' };

describe('a published vector verifies', () => {
  const standardKey = '{"test": 2432232314}';
  const slash =
    'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c';
  const slackSignature = 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503';
  const githubSecret = "It's a Secret to Everybody";
  const githubSignature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
  const slackSecret = '8f742231b10e8888abcd99yyyzzz85a5';

  /** A vector says that its signature is right; the bodies of some are no events. */
  const vectors: ReadonlyArray<{
    readonly what: string;
    readonly source: Source;
    readonly request: Partial<Draft> & Pick<Draft, 'headers' | 'body'>;
    readonly nowSeconds?: number;
    readonly isNoEvent?: true;
  }> = [
    {
      what: "of GitHub's documentation",
      source: sources.github({ secret: githubSecret }),
      request: { headers: { 'x-hub-signature-256': githubSignature }, body: 'Hello, World!' },
      isNoEvent: true,
    },
    {
      what: "of GitHub's documentation, by the same scheme of Meta",
      source: sources.meta({ secret: githubSecret, verifyToken: 'v' }),
      request: { headers: { 'x-hub-signature-256': githubSignature }, body: 'Hello, World!' },
      isNoEvent: true,
    },
    {
      what: "of Slack's documentation",
      source: sources.slack({ secret: slackSecret }),
      request: {
        headers: {
          ...FORM_TYPE,
          'x-slack-signature': slackSignature,
          'x-slack-request-timestamp': '1531420618',
        },
        body: slash,
      },
      nowSeconds: 1_531_420_618,
    },
    {
      what: "of Slack's documentation, by the same scheme of Zoom",
      source: sources.zoom({ secret: slackSecret }),
      request: {
        headers: { 'x-zm-signature': slackSignature, 'x-zm-request-timestamp': '1531420618' },
        body: slash,
      },
      nowSeconds: 1_531_420_618,
      isNoEvent: true,
    },
    {
      what: 'of Standard Webhooks',
      source: sources.standardWebhooks({ secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }),
      request: {
        headers: {
          'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
          'webhook-timestamp': '1614265330',
          'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
        },
        body: standardKey,
      },
      nowSeconds: 1_614_265_330,
    },
    {
      what: 'of Standard Webhooks, with a public key',
      source: sources.standardWebhooks({
        secret: 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=',
      }),
      request: {
        headers: {
          'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
          'webhook-timestamp': '1614265330',
          'webhook-signature':
            'v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==',
        },
        body: standardKey,
      },
      nowSeconds: 1_614_265_330,
    },
    {
      what: "of Svix's documentation, in its own headers",
      source: sources.standardWebhooks({ secret: 'whsec_plJ3nmyCDGBKInavdOK15jsl' }),
      request: {
        headers: {
          'svix-id': 'msg_loFOjxBNrRLzqYUf',
          'svix-timestamp': '1731705121',
          'svix-signature':
            'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=',
        },
        body: '{"event_type":"ping","data":{"success":true}}',
      },
      nowSeconds: 1_731_705_121,
    },
    {
      what: "of Twilio's documentation",
      source: sources.twilio({ authToken: '12345', url: 'https://mycompany.com' }),
      request: {
        suffix: '/myapp.php?foo=1&bar=2',
        headers: { ...FORM_TYPE, 'x-twilio-signature': 'RSOYDt4T1cUTdK1PDd93/VVr8B8=' },
        body: new URLSearchParams({
          To: '+18005551212',
          CallSid: 'CA1234567890ABCDE',
          Caller: '+14158675309',
          Digits: '1234',
          From: '+14158675309',
        }).toString(),
      },
    },
    {
      what: "of SendGrid's own tests",
      source: sources.sendgrid({
        publicKey:
          'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==',
      }),
      request: {
        headers: {
          'x-twilio-email-event-webhook-timestamp': '1600112502',
          'x-twilio-email-event-webhook-signature':
            'MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=',
        },
        body: '[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA","sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0","smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n',
      },
      nowSeconds: 1_600_112_502,
    },
  ];
  for (const { what, source, request, nowSeconds, isNoEvent } of vectors) {
    test(what, async () => {
      if (nowSeconds !== undefined) setNow(nowSeconds * 1_000);
      const complete = toRequest({ method: 'POST', suffix: '', ...request });
      if (isNoEvent) await assert.rejects(source.receive(complete), { reason: 'PARSE' });
      else assert.equal(eventsOf(await source.receive(complete)).length, 1);
      const tampered = { ...complete, body: Buffer.concat([complete.body, Buffer.from(' ')]) };
      await assert.rejects(source.receive(tampered), { reason: 'SIGNATURE' });
    });
  }
});

describe("with the vendor's own code", () => {
  test('GitHub: what it signs is taken, and what is signed here it verifies', async () => {
    const { secret, source } = created('github');
    const body = '{"action":"created","zen":"ünïcode 🎉"}';
    const headers = {
      'x-github-event': 'anything',
      'x-hub-signature-256': await octokit.sign(secret, body),
    };
    const [event] = eventsOf(await receive(source, { headers, body }));
    assert.deepEqual([event?.type, event?.data], ['anything', JSON.parse(body)]);
    const draft = signedBody(source, { body });
    const { 'x-hub-signature-256': signature = '' } = draft.headers;
    assert.equal(await octokit.verify(secret, draft.body, signature), true);
  });

  test('Meta: the same', async () => {
    const { secret, source } = created('meta');
    const body = '{"object":"page","entry":[]}';
    const headers = { 'x-hub-signature-256': await octokit.sign(secret, body) };
    assert.deepEqual(eventsOf(await receive(source, { headers, body })), []);
    const { headers: ours } = signedBody(source, { body });
    assert.equal(await octokit.verify(secret, body, ours['x-hub-signature-256'] ?? ''), true);
  });

  test('Stripe: the same', async () => {
    const { secret, source } = created('stripe');
    const stripe = new Stripe('sk_test_none');
    const payload = '{"id":"evt_1","object":"event","type":"invoice.paid"}';
    const header = stripe.webhooks.generateTestHeaderString({ payload, secret });
    const [event] = eventsOf(
      await receive(source, { headers: { 'stripe-signature': header }, body: payload }),
    );
    assert.deepEqual([event?.type, event?.id], ['invoice.paid', 'evt_1']);
    const draft = signedBody(source, { body: payload });
    const { 'stripe-signature': signature = '' } = draft.headers;
    assert.equal(stripe.webhooks.constructEvent(draft.body, signature, secret).id, 'evt_1');
  });

  for (const name of ['standardWebhooks', 'gitlab']) {
    test(`Standard Webhooks, as ${name}: the same`, async () => {
      const { secret, source } = created(name);
      const webhook = new Webhook(secret);
      const body = '{"type":"user.created","object_kind":"push"}';
      const at = new Date();
      const headers = {
        'webhook-id': 'msg_1',
        'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
        'webhook-signature': webhook.sign('msg_1', at, body),
      };
      const [event] = eventsOf(await receive(source, { headers, body }));
      assert.equal(event?.id, 'msg_1');
      const draft = signedBody(source, { body });
      assert.deepEqual(webhook.verify(draft.body, { ...draft.headers }), JSON.parse(body));
    });
  }

  test('Twilio: fields and JSON, with and without a port', async () => {
    const { secret, source } = created('twilio');
    const fields = { To: '+1', From: '+2', Body: 'a b&ä', 'Odd[]': 'x' };
    const suffix = '/deeper?x=%20y';
    for (const address of [TWILIO_URL, TWILIO_URL.replace('.com', '.com:443')]) {
      const url = `${address}${suffix}`;
      const signature = twilio.getExpectedTwilioSignature(secret, url, fields);
      const headers = { ...FORM_TYPE, 'x-twilio-signature': signature };
      const body = new URLSearchParams(fields).toString();
      const [event] = eventsOf(await receive(source, { suffix, headers, body }));
      assert.deepEqual(event?.data, fields);
    }
    const form = signedBody(source, { body: 'To=%2B1&Body=b&Body=a&Body=b', type: 'x' });
    const { 'x-twilio-signature': signature = '' } = form.headers;
    const parsed = { To: '+1', Body: ['b', 'a', 'b'] };
    const formUrl = `${TWILIO_URL}${form.suffix}`;
    assert.equal(twilio.validateRequest(secret, signature, formUrl, parsed), true);
    const json = source.sign(
      { method: 'POST', suffix: '', headers: JSON_TYPE, body: '{"a":1}' },
      { id: 'i', at: new Date() },
    );
    assert.equal(
      twilio.validateRequestWithBody(
        secret,
        json.headers['x-twilio-signature'] ?? '',
        `${TWILIO_URL}${json.suffix}`,
        json.body,
      ),
      true,
    );
    const [event] = eventsOf(await receive(source, json));
    assert.deepEqual(event?.data, { a: 1 });
  });

  test('Linear: what is signed here it verifies', () => {
    const { secret, source } = created('linear');
    const draft = signedBody(source, { body: { type: 'Issue', webhookTimestamp: Date.now() } });
    const { 'linear-signature': signature = '' } = draft.headers;
    const { webhookTimestamp } = JSON.parse(draft.body) as { webhookTimestamp: number };
    const client = new LinearWebhookClient(secret);
    assert.equal(client.verify(Buffer.from(draft.body), signature, webhookTimestamp), true);
    assert.throws(() => client.verify(Buffer.from(`${draft.body} `), signature));
  });

  test('Discord: what is signed here it verifies', async () => {
    const { secret, privateKey, source } = created('discord');
    const draft = signedBody(source, { body: { type: 2, id: '1' } }, { privateKey });
    const { 'x-signature-ed25519': signature = '', 'x-signature-timestamp': time = '' } =
      draft.headers;
    assert.equal(await verifyKey(draft.body, signature, time, secret), true);
    assert.equal(await verifyKey(`${draft.body} `, signature, time, secret), false);
  });

  test('SendGrid: what is signed here it verifies', () => {
    const { secret, privateKey, source } = created('sendgrid');
    const draft = signedBody(source, { body: '[{"event":"open"}]\r\n' }, { privateKey });
    const webhook = new EventWebhook();
    const isVerified = (payload: string): boolean =>
      webhook.verifySignature(
        webhook.convertPublicKeyToECDSA(secret),
        payload,
        draft.headers['x-twilio-email-event-webhook-signature'] ?? '',
        draft.headers['x-twilio-email-event-webhook-timestamp'] ?? '',
      );
    assert.deepEqual([isVerified(draft.body), isVerified(`${draft.body} `)], [true, false]);
  });

  test('Shopify and Zoom: as their documentation says', async () => {
    const shopify = created('shopify');
    const body = '{"id":1}';
    const hmac = createHmac('sha256', shopify.secret).update(body, 'utf8').digest('base64');
    const headers = { 'x-shopify-topic': 'shop/update', 'x-shopify-hmac-sha256': hmac };
    assert.equal(
      eventsOf(await receive(shopify.source, { headers, body }))[0]?.type,
      'shop/update',
    );
    const zoom = created('zoom');
    const time = String(Math.floor(Date.now() / 1_000));
    const event = '{"event":"meeting.started"}';
    const message = `v0:${time}:${event}`;
    const signature = `v0=${createHmac('sha256', zoom.secret).update(message).digest('hex')}`;
    const zoomHeaders = { 'x-zm-request-timestamp': time, 'x-zm-signature': signature };
    const [started] = eventsOf(await receive(zoom.source, { headers: zoomHeaders, body: event }));
    assert.equal(started?.type, 'meeting.started');
  });
});

for (const kind of KINDS) {
  describe(kind.name, () => {
    const { secret, privateKey } = kind.keys();
    const source = kind.create([secret]);
    const signing = { ...(privateKey !== undefined && { privateKey }) };
    const [signature = ''] = kind.headers;

    /** What is signed is changed, and so are the requests that this would let through. */
    const isSigned = !['authorization', 'x-api-key', 'x-gitlab-token', ''].includes(signature);

    const refuse = async (draft: Changed, reason = 'SIGNATURE'): Promise<void> => {
      const { repeated = [], ...rest } = draft;
      const request = toRequest(rest, { repeatedHeaders: new Set(repeated) });
      await assert.rejects(source.receive(request), { reason });
    };
    const refuseHeader = (value: string): Promise<void> => {
      const draft = signedSample(kind, source, signing);
      return refuse({ ...draft, headers: { ...draft.headers, [signature]: value } });
    };

    test('takes what its sender signs, as the type and the data that it is', async () => {
      const id = randomUUID();
      const draft = signedSample(kind, source, { ...signing, id });
      const [event, ...others] = eventsOf(await receive(source, draft));
      assert.deepEqual([event?.type, others.length], [kind.type, 0]);
      assert.notEqual(event?.data, undefined);
      const again = eventsOf(await receive(source, draft));
      assert.deepEqual(again[0]?.id, event?.id);
    });

    if (isSigned) {
      test('refuses a body that was tampered with', async () => {
        const draft = signedSample(kind, source, signing);
        await refuse({ ...draft, body: draft.body.replace('e', 'f') });
        await refuse({ ...draft, body: `${draft.body} ` });
        await refuse({ ...draft, body: Buffer.from(`${draft.body}\0`) });
        await refuse({ ...draft, body: draft.body.slice(0, -1) });
        await refuse({ ...draft, body: '' });
      });
    }

    test('refuses what another secret has signed', async () => {
      const other = kind.keys();
      const draft = signedSample(kind, kind.create([other.secret]), {
        ...(other.privateKey !== undefined && { privateKey: other.privateKey }),
      });
      await refuse(draft);
    });

    test('takes the old secret and the new one while both are configured', async () => {
      const next = kind.keys();
      const both = kind.create([next.secret, secret]);
      for (const keys of [next, { secret, privateKey }]) {
        const key = keys.privateKey === undefined ? {} : { privateKey: keys.privateKey };
        const draft = signedSample(kind, kind.create([keys.secret]), key);
        assert.equal(eventsOf(await receive(both, draft)).length, 1);
      }
    });

    const { toleranceMs } = kind;
    if (toleranceMs !== undefined) {
      test('refuses what was signed too long ago, or will be', async () => {
        setNow(1_750_000_000_000);
        for (const ms of [-toleranceMs, toleranceMs]) {
          const at = new Date(Date.now() + ms);
          const draft = signedSample(kind, source, { ...signing, at });
          assert.equal(eventsOf(await receive(source, draft)).length, 1);
        }
        for (const ms of [-toleranceMs - 1_000, toleranceMs + 1_000]) {
          const at = new Date(Date.now() + ms);
          await refuse(signedSample(kind, source, { ...signing, at }), 'TIMESTAMP');
        }
      });
    }

    for (const header of kind.headers) {
      test(`refuses a request without ${header}, with two, or with an empty one`, async () => {
        const draft = signedSample(kind, source, signing);
        const { [header]: value = '', ...others } = draft.headers;
        await refuse({ ...draft, headers: others });
        await refuse({ ...draft, headers: { ...others, [header]: '' } });
        await refuse({
          ...draft,
          headers: { ...others, [header]: `${value}, ${value}` },
          repeated: [header],
        });
      });
    }

    if (signature !== '') {
      test('refuses a signature that is malformed, cut off, or goes on', async () => {
        const value = signedSample(kind, source, signing).headers[signature] ?? '';
        for (const wrong of ['x', '=', ',', 'v1,', 't=1,v1=', 'sha256=', 'Bearer', 'Basic ']) {
          await refuseHeader(wrong);
        }
        await refuseHeader(value.slice(0, -1));
        await refuseHeader(value.slice(1));
        await refuseHeader(`${value}A`);
      });
    }

    if (isSigned) {
      test('refuses the right signature in another encoding', async () => {
        const value = signedSample(kind, source, signing).headers[signature] ?? '';
        const [, start = '', digest = ''] = SIGNATURE.exec(value) ?? [];
        const isHex = /^[0-9a-f]+$/.test(digest);
        const bytes = Buffer.from(digest, isHex ? 'hex' : 'base64');
        assert.ok(bytes.length >= 20, value);
        await refuseHeader(`${start}${bytes.toString(isHex ? 'base64' : 'hex')}`);
        await refuseHeader(`${start}${isHex ? digest.toUpperCase() : digest.toLowerCase()}`);
        await refuseHeader(`${start}${bytes.toString('latin1')}`);
        if (start !== '') await refuseHeader(digest);
      });
    }

    const parsed = kind.takes === undefined ? ['', '{', '\u0000', '"text"', 'null'] : ['', '{'];
    if (kind.takes !== 'forms') {
      test('refuses an empty body, and one that it can not read, though signed', async () => {
        for (const body of parsed) {
          // The secret of Graph is in the body: in these, there is nowhere to put it.
          const isSignable = source.kind !== 'microsoftGraph';
          const draft = { ...unsignedDraft, body };
          await refuse(isSignable ? signedBody(source, { body }, signing) : draft, 'PARSE');
        }
      });
    }

    test('is off while its variable is not set', () => {
      const variable = 'NEXTEVENT_TEST_SECRET';
      assert.deepEqual(kind.createOff(variable).missing, [variable]);
      process.env[variable] = '';
      assert.deepEqual(kind.createOff(variable).missing, [variable]);
      process.env[variable] = secret;
      assert.deepEqual(kind.createOff(variable).missing, []);
      delete process.env[variable];
    });

    test('takes everything if its configuration says so', async () => {
      const open = kind.createOpen();
      assert.deepEqual(open.missing, []);
      const draft = signedSample(kind, open);
      for (const header of kind.headers) assert.equal(draft.headers[header], undefined);
      const [event] = eventsOf(await receive(open, draft));
      assert.equal(event?.type, kind.name === 'hmac' ? 'post' : kind.type);
    });
  });
}

/** A draft with changes that no sender makes. */
type Changed = Omit<Draft, 'body'> & {
  readonly body: string | Uint8Array;
  readonly repeated?: readonly string[];
};

describe('a request that is made to', () => {
  test('have a signed id taken for another is still the same event', async () => {
    for (const name of ['standardWebhooks', 'gitlab']) {
      const { source } = created(name);
      const body = { type: 'user.created', object_kind: 'push' };
      const { headers, ...draft } = signedBody(source, { body });
      const renamed = Object.fromEntries(
        Object.entries(headers).map(([key, value]) => [key.replace('webhook-', 'svix-'), value]),
      );
      for (const others of [{}, { 'webhook-id': 'another', 'idempotency-key': 'a third' }]) {
        const [event] = eventsOf(
          await receive(source, { ...draft, headers: { ...renamed, ...others } }),
        );
        assert.equal(event?.id, headers['webhook-id'], name);
      }
    }
  });

  test('keep the process busy before it is verified does not', async () => {
    const { source } = created('twilio');
    const names = Array.from({ length: 10_001 }, (_, index) => index.toString(36));
    const headers = { ...FORM_TYPE, 'x-twilio-signature': 'x' };
    await assert.rejects(receive(source, { headers, body: names.slice(0, 10_000).join('&') }), {
      reason: 'SIGNATURE',
    });
    // Each more takes longer, and nobody knows yet who sent them.
    await assert.rejects(receive(source, { headers, body: names.join('&') }), {
      reason: 'PARSE',
      message: /^more than 10000 fields$/,
    });
  });
});

function created(name: string): {
  readonly secret: string;
  readonly privateKey: string;
  readonly source: Source;
} {
  const kind = KINDS.find((one: Kind) => one.name === name);
  assert.ok(kind);
  const { secret, privateKey = '' } = kind.keys();
  return { secret, privateKey, source: kind.create([secret]) };
}

function receive(source: Source, draft: Partial<Draft> & Pick<Draft, 'body'>): Promise<Received> {
  return source.receive(toRequest({ method: 'POST', suffix: '', headers: {}, ...draft }));
}

function eventsOf(received: Received) {
  assert.ok('events' in received, 'it was answered, and is no event');
  return received.events;
}

function setNow(ms: number): void {
  mock.timers.enable({ apis: ['Date'], now: ms });
}
