// What providers ask before they send events, and what becomes of their events: real HTTP in, the
// dispatcher only records.

import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, beforeEach, describe, test } from 'node:test';

import { UnavailableError } from '../dispatch/errors.ts';
import { EVENT_BYTES_MAX, type Event } from '../events/event.ts';
import { createApp, createServer } from '../ingress/app.ts';
import { SAMPLES } from '../ingress/samples/index.ts';
import { sampleDraft } from '../ingress/samples/to-draft.ts';
import { EVENTS_MAX } from '../ingress/sources/create-source.ts';
import type { Draft, Source } from '../ingress/sources/source.ts';
import * as sources from '../nextevent.ts';
import { signedBody, toRequest } from './sources.ts';

const SECRET = 'a secret';
const STATUSES = {
  SIGNATURE: 401,
  TIMESTAMP: 401,
  HANDSHAKE: 403,
  PARSE: 400,
  BODY_TOO_LARGE: 413,
};

const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };

const { publicKey, privateKey: discordKey } = generateKeyPairSync('ed25519');
const privateKey = discordKey.export({ format: 'pem', type: 'pkcs8' }).toString();
const discordPublicKey = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);

const configured: Readonly<Record<string, Source>> = {
  github: sources.github({ secret: SECRET }),
  gitlab: sources.gitlab({ secret: 'whsec_c2VjcmV0', token: SECRET }),
  slack: sources.slack({ secret: SECRET }),
  shopify: sources.shopify({ secret: SECRET }),
  linear: sources.linear({ secret: SECRET }),
  zoom: sources.zoom({ secret: [SECRET, 'the old one'] }),
  meta: sources.meta({ secret: SECRET, verifyToken: ['verify', 'the old one'] }),
  graph: sources.microsoftGraph({ clientState: SECRET }),
  discord: sources.discord({ publicKey: discordPublicKey.toString('hex') }),
  sendgrid: sources.sendgrid({ verify: 'none' }),
  twilio: sources.twilio({ authToken: SECRET, url: 'https://example.com/webhooks/twilio' }),
  standard: sources.standardWebhooks({ secret: 'whsec_c2VjcmV0' }),
  hmac: sources.hmac({ secret: SECRET, header: 'x-signature' }),
  bearer: sources.bearer({ token: 'token' }),
  off: sources.github({ secret: sources.env('NEXTEVENT_TEST_UNSET') }),
  own: sources.defineSource({
    kind: 'own',
    secret: SECRET,
    verify: ({ headers }, secrets) =>
      headers['x-signed-at'] === undefined
        ? secrets.includes(headers['x-key'] ?? '')
        : new Date(headers['x-signed-at']),
    handshake: ({ method }) => (method === 'OPTIONS' ? { body: 'hi' } : undefined),
    toEvents: ({ body }) => JSON.parse(Buffer.from(body).toString()) as sources.SourceEvent[],
    acknowledge: () => ({ status: 200, body: 'thanks', headers: { 'x-own': 'yes' } }),
  }),
};

let events: Event[] = [];
let lines: string[] = [];
let failAt = Number.POSITIVE_INFINITY;
let attempts = 0;

const app = createApp({
  sources: new Map(Object.entries(configured)),
  dispatcher: {
    async dispatch(event) {
      attempts += 1;
      if (attempts === failAt) throw new UnavailableError('not now');
      events.push(event);
      return { started: [], signalled: 0, unmatched: 0, queued: event.id === 'queued' };
    },
    answer: async () => ({ kind: 'none' }),
  },
  ready: async () => [],
  log: (line) => lines.push(line),
});
const server = createServer(app).listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

beforeEach(() => {
  [events, lines, attempts, failAt] = [[], [], 0, Number.POSITIVE_INFINITY];
});
after(() => {
  server.close();
  server.closeAllConnections();
});

describe('a handshake is answered, and is no event', () => {
  test('of GitHub: the ping of a new webhook', async () => {
    const answer = await sendSample('github', 'ping');
    assert.deepEqual([answer.status, await answer.json()], [200, { pong: true }]);
  });

  test('of Slack: the challenge, and the look at the certificate', async () => {
    const answer = await sendSample('slack', 'url_verification');
    const challenge = '3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P';
    assert.deepEqual([answer.status, await answer.json()], [200, { challenge }]);
    const look = signed('slack', { body: 'ssl_check=1&token=x', headers: FORM_TYPE });
    assert.equal((await send('slack', look)).status, 200);
  });

  test('of Zoom: by the secret that it signed with', async () => {
    for (const secret of [SECRET, 'the old one']) {
      const source = sources.zoom({ secret });
      const answer = await send('zoom', signedSampleOf(source, 'endpoint.url_validation'));
      const plainToken = 'qgg8vlvZRS6UYooatFL8Aw';
      const encryptedToken = createHmac('sha256', secret).update(plainToken).digest('hex');
      assert.deepEqual([answer.status, await answer.json()], [200, { plainToken, encryptedToken }]);
    }
  });

  test('of Zoom: but not for a token that could be an event', async () => {
    for (const plainToken of ['v0:1750000000:{}', '', undefined, 5]) {
      const body = { event: 'endpoint.url_validation', payload: { plainToken } };
      await refuse('zoom', signed('zoom', { body }), 'HANDSHAKE');
    }
  });

  test('of Meta: the challenge, for those who know the token', async () => {
    for (const token of ['verify', 'the old one']) {
      const answer = await fetch(metaUrl({ 'hub.verify_token': token }));
      assert.deepEqual([answer.status, await answer.text()], [200, '1158201444<script>']);
      assert.match(answer.headers.get('content-type') ?? '', /^text\/plain/);
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    }
    const wrong = [
      { 'hub.verify_token': 'other' },
      { 'hub.verify_token': '' },
      { 'hub.mode': 'unsubscribe', 'hub.verify_token': 'verify' },
    ];
    for (const query of wrong) {
      const answer = await fetch(metaUrl(query));
      const { reason } = (await answer.json()) as { reason: string };
      assert.deepEqual([answer.status, reason], [403, 'HANDSHAKE']);
    }
    assert.equal((await fetch(url('meta'))).status, 403);
  });

  test('of Microsoft Graph: the validation token, decoded, as text', async () => {
    const token = 'Validation: Testing client application reachability <b>&é';
    const query = new URLSearchParams({ validationToken: token }).toString();
    const answer = await fetch(`${url('graph')}?${query}`, { method: 'POST' });
    assert.deepEqual([answer.status, await answer.text()], [200, token]);
    assert.match(answer.headers.get('content-type') ?? '', /^text\/plain/);
  });

  test('of Microsoft Graph: also if somebody puts events beside it', async () => {
    const { body } = signed('graph', { body: { value: [{ changeType: 'created' }] } });
    const answer = await fetch(`${url('graph')}?validationToken=t`, { method: 'POST', body });
    assert.deepEqual([answer.status, await answer.text()], [200, 't']);
  });

  test('of Discord: the pings of interactions and of events, if they are signed', async () => {
    const ping = await send('discord', signedSampleOf(configured.discord!, 'ping'));
    assert.deepEqual([ping.status, await ping.json()], [200, { type: 1 }]);
    const body = { version: 1, application_id: '1234560123453231555', type: 0 };
    const answer = await send('discord', signed('discord', { body }));
    assert.deepEqual([answer.status, await answer.text()], [204, '']);
    const forged = { ...signed('discord', { body }), headers: {} };
    await refuse('discord', forged, 'SIGNATURE');
  });

  test("of one's own", async () => {
    const answer = await fetch(url('own'), { method: 'OPTIONS', headers: { 'x-key': SECRET } });
    assert.deepEqual([answer.status, await answer.text()], [200, 'hi']);
    assert.equal((await fetch(url('own'), { method: 'OPTIONS' })).status, 401);
  });

  test('comes before freshness, and after the signature', async () => {
    const at = new Date(Date.now() - 3_600_000);
    const old = { id: 'i', at };
    const slack = configured.slack!;
    const challenge = slack.sign(sampleDraft('slack', 'url_verification', old)!, old);
    assert.equal((await send('slack', challenge)).status, 200);
    const event = slack.sign(sampleDraft('slack', 'app_mention', old)!, old);
    await refuse('slack', event, 'TIMESTAMP');
    await refuse('slack', { ...event, body: '{' }, 'SIGNATURE');
  });

  test('is refused if nobody has signed it', async () => {
    for (const [name, sample] of [
      ['github', 'ping'],
      ['slack', 'url_verification'],
      ['zoom', 'endpoint.url_validation'],
      ['discord', 'ping'],
    ] as const) {
      const { kind } = configured[name]!;
      const draft = sampleDraft(kind, sample, { id: 'i', at: new Date() });
      await refuse(name, draft!, 'SIGNATURE');
    }
  });
});

describe('the sender hears', () => {
  const answers: Array<[name: string, sample: string, status: number, body: RegExp]> = [
    ['github', 'push', 202, /^\{"id":"the id","started":\[\],"signalled":0\}$/],
    ['linear', 'Issue.create', 200, /^\{"id":"the id"/],
    ['zoom', 'meeting.started', 200, /^\{"id"/],
    ['meta', 'page.messaging', 200, /^\{"id"/],
    ['graph', 'created', 202, /^\{"id":"the id"/],
    ['slack', 'app_mention', 200, /^$/],
    ['slack', 'slash_command', 200, /^$/],
    ['twilio', 'message.received', 200, /^<Response\/>$/],
    ['discord', 'application_command', 200, /^\{"type":5\}$/],
    ['discord', 'application_authorized', 204, /^$/],
  ];
  for (const [name, sample, status, body] of answers) {
    test(`${status} for ${sample} of ${name}, and the event's id`, async () => {
      const answer = await sendSample(name, sample, 'the id');
      assert.equal(answer.status, status);
      assert.match(await answer.text(), body);
      assert.equal(answer.headers.get('nextevent-id'), encodeURI(onlyEvent().id));
    });
  }

  test('what Discord needs for each kind of interaction', async () => {
    for (const [type, answered] of [
      [3, { type: 6 }],
      [4, { type: 8, data: { choices: [] } }],
      [5, { type: 5 }],
    ] as const) {
      const answer = await send('discord', signed('discord', { body: { type, id: 'x' } }));
      assert.deepEqual(await answer.json(), answered);
    }
  });

  test('503 while the source is off, and the log says why', async () => {
    const answer = await send('off', { method: 'POST', suffix: '', headers: {}, body: '{}' });
    const requestId = answer.headers.get('x-request-id');
    assert.deepEqual(await answer.json(), {
      status: 503,
      title: 'Unavailable',
      detail: 'the source is off',
      requestId,
    });
    assert.deepEqual(lines, [
      `POST /webhooks/off (${requestId}) unavailable: off is off: NEXTEVENT_TEST_UNSET is not set`,
    ]);
  });
});

describe('an event', () => {
  for (const [kind, { bodies }] of Object.entries(SAMPLES)) {
    const entry = Object.entries(configured).find(([, source]) => source.kind === kind);
    if (entry === undefined) continue;
    const [name, source] = entry;
    for (const sample of Object.keys(bodies)) {
      if (['ping', 'url_verification', 'endpoint.url_validation'].includes(sample)) continue;
      test(`of ${kind}, ${sample}, has the body as its data and no headers`, async () => {
        const draft = signedSampleOf(source, sample);
        const headers = { ...draft.headers, cookie: 'session=a-cookie-of-the-sender' };
        const answer = await send(name, { ...draft, headers });
        assert.deepEqual([answer.ok, answer.ok || (await answer.text())], [true, true]);
        assert.notEqual(events.length, 0);
        const kept = JSON.stringify(events);
        // Signatures and the like are long; ids and types are in events, and are not.
        const values = Object.values(headers).filter((value) => value.length >= 30);
        assert.notEqual(values.length, 0);
        for (const value of values) assert.equal(kept.includes(value), false, value);
        assert.equal(kept.includes(SECRET), false);
        if (kind !== 'sendgrid') assert.match(sample, new RegExp(toTypePattern(onlyEvent().type)));
      });
    }
  }

  test('of GitHub is not what a header alone says', async () => {
    const forged: Array<[type: string, sample: string]> = [
      ['push', 'pull_request.opened'],
      ['pull_request', 'pull_request_review.submitted'],
      ['issues', 'issue_comment.created'],
      ['release', 'push'],
    ];
    for (const [type, sample] of forged) {
      const draft = signedSampleOf(configured.github!, sample);
      const headers = { ...draft.headers, 'x-github-event': type };
      await refuse('github', { ...draft, headers }, 'PARSE');
    }
    const draft = signedSampleOf(configured.github!, 'push');
    const { 'x-github-event': _, ...headers } = draft.headers;
    await refuse('github', { ...draft, headers }, 'PARSE');
  });

  test('of GitHub comes also in a form', async () => {
    const body = new URLSearchParams({ payload: '{"starred_at":null}' }).toString();
    const headers = { ...FORM_TYPE, 'x-github-event': 'star', 'x-github-delivery': 'd-1' };
    await send('github', signed('github', { body, headers }));
    const { type, id, data } = onlyEvent();
    assert.deepEqual([type, id, data], ['star', 'd-1', { starred_at: null }]);
  });

  const forms: Array<[name: string, body: string, headers: Record<string, string>]> = [
    [
      'github',
      '{"issue":1,"comment":"&payload={\\"number\\":1}"}',
      { 'x-github-event': 'issue_comment' },
    ],
    ['slack', ' \n{"type":"a","event_id":"e","text":"&payload={\\"type\\":\\"forged\\"}&"}', {}],
    ['hmac', '[{"type":"a","text":"&type=forged&"}]', {}],
    ['hmac', '"&type=forged&"', {}],
  ];
  for (const [name, body, headers] of forms) {
    test(`of ${name} is JSON also by the content type of a form: ${body.trim()}`, async () => {
      const draft = signed(name, { body, headers });
      await send(name, draft);
      const [asJson] = events;
      assert.ok(asJson);
      events = [];
      await send(name, { ...draft, headers: { ...draft.headers, ...FORM_TYPE } });
      assert.deepEqual([onlyEvent().type, onlyEvent().data], [asJson.type, asJson.data]);
    });
  }

  test('of Shopify is about what its topic names', async () => {
    const draft = signedSampleOf(configured.shopify!, 'products/update');
    const headers = { ...draft.headers, 'x-shopify-topic': 'orders/paid' };
    await refuse('shopify', { ...draft, headers }, 'PARSE');
    await send('shopify', draft);
    assert.equal(onlyEvent().subject, 'example.myshopify.com');
  });

  test('of GitLab is taken with a token where nothing is signed, and only then', async () => {
    const headers = { 'x-gitlab-token': SECRET, 'idempotency-key': 'k-1' };
    const body = '{"object_kind":"push"}';
    await send('gitlab', { method: 'POST', suffix: '', headers, body });
    assert.deepEqual([onlyEvent().type, onlyEvent().id], ['push', 'k-1']);
    events = [];
    const both = { ...headers, 'webhook-signature': 'v1,x', 'webhook-id': 'i' };
    const draft = { method: 'POST', suffix: '', headers: both, body };
    await refuse('gitlab', draft, 'SIGNATURE');
  });

  test('of Slack has no token of Slack in it', async () => {
    for (const sample of ['app_mention', 'slash_command', 'block_actions']) {
      await sendSample('slack', sample);
    }
    assert.equal(events.length, 3);
    for (const { data } of events) assert.equal('token' in (data as object), false);
    assert.deepEqual(
      events.map(({ type }) => type),
      ['app_mention', 'slash_command', 'block_actions'],
    );
  });

  test('of Graph has no clientState in it', async () => {
    await sendSample('graph', 'created');
    assert.equal('clientState' in (onlyEvent().data as object), false);
  });

  test('of Twilio may be asked for by GET', async () => {
    const source = configured.twilio!;
    const draft = source.sign(
      { method: 'POST', suffix: '?To=%2B1&CallStatus=ringing', headers: FORM_TYPE, body: '' },
      { id: 'i', at: new Date() },
    );
    const answer = await fetch(`${url('twilio')}${draft.suffix}`, { headers: draft.headers });
    assert.equal(answer.status, 200);
    assert.deepEqual(onlyEvent().data, { To: '+1', CallStatus: 'ringing' });
    const other = { headers: draft.headers };
    assert.equal((await fetch(`${url('twilio')}${draft.suffix}&x=1`, other)).status, 401);
  });

  test('with two of a header that says what it is, is refused', async () => {
    for (const header of ['x-github-event', 'x-github-delivery', 'x-hub-signature-256']) {
      const draft = signedSampleOf(configured.github!, 'push');
      const value = draft.headers[header] ?? '';
      const status = await sendRaw('github', draft, { [header]: [value, value] });
      assert.equal(status, header === 'x-hub-signature-256' ? 401 : 400);
    }
    assert.deepEqual(events, []);
  });

  test('whose body has what marks a stored body is refused', async () => {
    const body = { body: { 'nextevent:body': 'utf8', content: 'x' } };
    const headers = { 'x-github-event': 'custom' };
    await refuse('github', signed('github', { body, headers }), 'PARSE');
  });

  test('that is nested too deep, or grows too large as JSON, is refused', async () => {
    const deep = `${'{"a":'.repeat(1_500)}1${'}'.repeat(1_500)}`;
    const headers = { 'x-github-event': 'custom' };
    await refuse('github', signed('github', { body: deep, headers }), 'PARSE');
    const large = `{"a":[${'1e20,'.repeat(200_000)}1]}`;
    assert.equal(large.length < EVENT_BYTES_MAX, true);
    await refuse('github', signed('github', { body: large, headers }), 'BODY_TOO_LARGE');
  });
});

describe('a body with several events', () => {
  const bodies: Array<[name: string, body: object, types: readonly string[]]> = [
    [
      'sendgrid',
      [
        { event: 'open', sg_event_id: 'a' },
        { event: 'click', sg_event_id: 'b' },
        { event: 'open' },
      ],
      ['open', 'click', 'open'],
    ],
    [
      'meta',
      whatsApp(['a', 'b']),
      [
        'whatsapp_business_account.messages',
        'whatsapp_business_account.messages',
        'whatsapp_business_account.flows',
      ],
    ],
    [
      'graph',
      {
        value: [
          { changeType: 'created', resource: 'me/events/1' },
          { changeType: 'updated', resource: 'me/events/1' },
          { lifecycleEvent: 'missed' },
        ],
      },
      ['created', 'updated', 'missed'],
    ],
  ];
  for (const [name, body, types] of bodies) {
    test(`of ${name} is as many events, in order, the same again when it is repeated`, async () => {
      const answer = await send(name, signed(name, { body }));
      const { events: told } = (await answer.json()) as { events: Array<{ id: string }> };
      assert.deepEqual(
        events.map(({ type }) => type),
        types,
      );
      const ids = events.map(({ id }) => id);
      assert.equal(new Set(ids).size, types.length);
      assert.deepEqual(
        told.map(({ id }) => id),
        ids,
      );
      events = [];
      await send(name, signed(name, { body }));
      assert.deepEqual(
        events.map(({ id }) => id),
        ids,
      );
    });
  }

  test('of Meta has in each event the body with that one alone', async () => {
    await send('meta', signed('meta', { body: whatsApp(['a']) }));
    assert.deepEqual(
      events.map(({ data }) => data),
      [
        {
          object: 'whatsapp_business_account',
          entry: [
            { id: '1', changes: [{ field: 'messages', value: { messages: [{ text: 'a' }] } }] },
          ],
        },
        {
          object: 'whatsapp_business_account',
          entry: [{ id: '2', time: 5, changes: [{ field: 'flows', value: {} }] }],
        },
      ],
    );
  });

  test('of Meta is a field alone where no values are told, or what there is', async () => {
    const fields = { id: '1', time: 2, changed_fields: ['photos', 'feed'] };
    const other = { id: '3', news: [1] };
    await send('meta', signed('meta', { body: { object: 'user', entry: [fields, other] } }));
    assert.deepEqual(
      events.map(({ type, data }) => [type, data]),
      [
        ['user.photos', { object: 'user', entry: [{ ...fields, changed_fields: ['photos'] }] }],
        ['user.feed', { object: 'user', entry: [{ ...fields, changed_fields: ['feed'] }] }],
        ['user', { object: 'user', entry: [other] }],
      ],
    );
    assert.equal(new Set(events.map(({ id }) => id)).size, 3);
    events = [];
    const wrong = { object: 'user', entry: [{ changed_fields: [1] }] };
    await refuse('meta', signed('meta', { body: wrong }), 'PARSE');
  });

  test('of Graph is refused if one of them is not for us', async () => {
    const draft = signed('graph', { body: { value: [{ changeType: 'a' }, { changeType: 'b' }] } });
    const { value } = JSON.parse(draft.body) as { value: object[] };
    for (const other of [{ changeType: 'c' }, { changeType: 'c', clientState: 'other' }]) {
      const body = JSON.stringify({ value: [...value, other] });
      await refuse('graph', { ...draft, body }, 'SIGNATURE');
    }
    await refuse('graph', { ...draft, body: '{"value":[]}' }, 'SIGNATURE');
  });

  test('is answered once all are durable, or with 503', async () => {
    const body = Array.from({ length: 1_000 }, (_, index) => ({
      event: 'open',
      sg_event_id: index === 7 ? 'queued' : `e-${index}`,
    }));
    failAt = 150;
    const draft = signed('sendgrid', { body });
    const failed = await send('sendgrid', draft);
    assert.equal(failed.status, 503);
    // After the first that fails, no more are begun than were on their way then.
    assert.equal(attempts < 300, true, `${attempts} attempts`);
    failAt = Number.POSITIVE_INFINITY;
    events = [];
    const answer = await send('sendgrid', draft);
    const told = (await answer.json()) as { events: object[] };
    assert.deepEqual([answer.status, events.length], [202, 1_000]);
    assert.deepEqual(told.events.slice(6, 8), [
      { id: 'e-6', started: [], signalled: 0 },
      { id: 'queued', queued: true },
    ]);
    assert.deepEqual(
      events.map(({ data }) => data),
      body,
    );
  });

  test('that is empty is taken, and one with too many refused', async () => {
    const answer = await send('sendgrid', signed('sendgrid', { body: [] }));
    assert.deepEqual([answer.status, await answer.json()], [202, { events: [] }]);
    const many = Array.from({ length: EVENTS_MAX + 1 }, () => ({ event: 'open' }));
    await refuse('sendgrid', signed('sendgrid', { body: many }), 'BODY_TOO_LARGE');
  });
});

describe("a source of one's own", () => {
  test('verifies, makes events and thanks in its own way', async () => {
    const answer = await postOwn(
      [
        { type: 'a', data: 1, id: 'x' },
        { type: 'b', data: null },
      ],
      {
        'x-key': SECRET,
      },
    );
    assert.deepEqual([answer.status, await answer.text()], [200, 'thanks']);
    assert.equal(answer.headers.get('x-own'), 'yes');
    assert.deepEqual(
      events.map(({ type, data }) => [type, data]),
      [
        ['a', 1],
        ['b', null],
      ],
    );
    assert.equal((await postOwn([], { 'x-key': 'other' })).status, 401);
  });

  test('is held to the tolerance, if it says when a request was signed', async () => {
    const now = new Date().toISOString();
    assert.equal((await postOwn([], { 'x-signed-at': now })).status, 200);
    for (const time of ['2020-01-01T00:00:00Z', 'never']) {
      assert.equal((await postOwn([], { 'x-signed-at': time })).status, 401);
    }
  });

  test('can not make an event that is none', async () => {
    const wrong: Array<[event: object, status: number]> = [
      [{ type: '', data: 1 }, 400],
      [{ type: 'a'.repeat(257), data: 1 }, 400],
      [{ type: 'a\nb', data: 1 }, 400],
      [{ type: 'a', data: 1, id: '' }, 400],
      [{ type: 'a', data: 1, subject: '' }, 400],
      [{ type: 'a' }, 500],
    ];
    for (const [event, status] of wrong) {
      assert.equal((await postOwn([event], { 'x-key': SECRET })).status, status);
    }
    assert.deepEqual(events, []);
  });
});

describe("the data of a source of one's own", () => {
  test('is what JSON has of it: what filters see, workflows get', async () => {
    const data = { at: new Date(0), none: undefined, list: [undefined] };
    const received = await made(() => ({ type: 'a', id: 'x', data }));
    assert.ok('events' in received);
    assert.deepEqual(received.events[0]?.data, { at: '1970-01-01T00:00:00.000Z', list: [null] });
  });

  for (const levels of [1_001, 60_000]) {
    test(`of ${levels} levels is refused`, async () => {
      const data: unknown = JSON.parse('['.repeat(levels) + ']'.repeat(levels));
      await assert.rejects(
        made(() => [{ type: 'a', data }]),
        { name: 'RequestError', message: 'the body is nested deeper than 1000' },
      );
    });
  }

  const faults: Array<[what: string, data: unknown]> = [
    ['a bigint', { n: 1n }],
    ['nothing', undefined],
    ['a function', () => {}],
    ['in itself', cyclic()],
    ['without an end', { toJSON: endless }],
  ];
  for (const [what, data] of faults) {
    test(`that is ${what} is a fault of ours`, async () => {
      const error = await made(() => ({ type: 'a', data })).catch((reason: unknown) => reason);
      const isEndless = what === 'without an end';
      assert.ok(error instanceof (isEndless ? RangeError : TypeError), String(error));
    });
  }
});

/** What becomes of a request to a source that makes this of it. */
function made(toEvents: () => unknown): ReturnType<Source['receive']> {
  const definition = { kind: 'made', verify: 'none', toEvents: toEvents as () => [] } as const;
  const draft = { method: 'POST', suffix: '', headers: {}, body: '' };
  return sources.defineSource(definition).receive(toRequest(draft));
}

function cyclic(): object {
  const own: Record<string, unknown> = {};
  return Object.assign(own, { own });
}

function endless(): unknown {
  return [endless()];
}

function whatsApp(texts: readonly string[]): object {
  return {
    object: 'whatsapp_business_account',
    entry: [
      {
        id: '1',
        changes: texts.map((text) => ({ field: 'messages', value: { messages: [{ text }] } })),
      },
      { id: '2', time: 5, changes: [{ field: 'flows', value: {} }] },
    ],
  };
}

function url(name: string): string {
  return `http://127.0.0.1:${port}/webhooks/${name}`;
}

function postOwn(body: object, headers: Readonly<Record<string, string>>): Promise<Response> {
  return fetch(url('own'), { method: 'POST', headers, body: JSON.stringify(body) });
}

function metaUrl(query: Readonly<Record<string, string>>): string {
  const all = { 'hub.mode': 'subscribe', 'hub.challenge': '1158201444<script>', ...query };
  return `${url('meta')}?${new URLSearchParams(all).toString()}`;
}

/** A body as the sender of a source would sign it. */
function signed(
  name: string,
  { body, headers = {} }: { body: unknown; headers?: Readonly<Record<string, string>> },
): Draft {
  const source = configured[name]!;
  const { headers: signedHeaders, ...draft } = signedBody(
    source,
    { body },
    source.kind === 'discord' ? { privateKey } : {},
  );
  return { ...draft, headers: { ...signedHeaders, ...headers } };
}

function signedSampleOf(source: Source, sample: string, id = 'the id'): Draft {
  const fresh = { id, at: new Date() };
  return source.sign(sampleDraft(source.kind, sample, fresh)!, {
    ...fresh,
    ...(source.kind === 'discord' && { privateKey }),
  });
}

function sendSample(name: string, sample: string, id?: string): Promise<Response> {
  return send(name, signedSampleOf(configured[name]!, sample, id));
}

function send(name: string, { method, suffix, headers, body }: Draft): Promise<Response> {
  return fetch(`${url(name)}${suffix}`, { method, headers, body });
}

/** With headers that come several times, which fetch would join. */
async function sendRaw(
  name: string,
  { headers, body }: Draft,
  repeated: Readonly<Record<string, string[]>>,
): Promise<number | undefined> {
  const sending = httpRequest(url(name), { method: 'POST', headers: { ...headers, ...repeated } });
  sending.end(body);
  const [answer] = (await once(sending, 'response')) as [
    { statusCode?: number; resume(): unknown },
  ];
  answer.resume();
  return answer.statusCode;
}

async function refuse(name: string, draft: Draft, reason: keyof typeof STATUSES): Promise<void> {
  const answer = await send(name, draft);
  const problem = (await answer.json()) as { status: number; reason: string };
  const status = STATUSES[reason];
  assert.deepEqual([answer.status, problem.status, problem.reason], [status, status, reason]);
  assert.equal(answer.headers.get('content-type'), 'application/problem+json; charset=utf-8');
  assert.deepEqual(events, []);
}

function onlyEvent(): Event {
  assert.equal(events.length, 1);
  return events[0]!;
}

/** The names of samples begin with the type, in small letters, and say what was done. */
function toTypePattern(type: string): string {
  return type === 'post' ? '^hello$' : `^(?:${type}|${type.toLowerCase()})`;
}
