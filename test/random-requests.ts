// Random requests as bytes: right ones, wrong ones, and what is no request at all. The same seed
// gives the same bytes, but for times and keys.

import { METHODS } from 'node:http';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';

import type { Source } from '../ingress/sources/source.ts';

/** What is sent over one connection. */
export interface Conversation {
  readonly to: 'webhooks' | 'management';
  /** One after the other, at once: each is answered. */
  readonly requests: readonly RandomRequest[];
  /**
   * What comes after their answers, and may be anything. Then the connection is ended, or cut
   * off without waiting for an answer.
   */
  readonly last: { readonly request: RandomRequest; readonly isCutOff: boolean } | undefined;
}

export interface RandomRequest {
  readonly method: string;
  readonly bytes: Buffer;
}

export interface Surroundings {
  readonly sources: ReadonlyMap<string, Source>;
  /** An API key that may publish. */
  readonly key: string;
}

/** How many requests go over one connection at the most. */
const REQUESTS_MAX = 12;

/** CONNECT is no request to a server: Node closes the connection. */
const KNOWN_METHODS = METHODS.filter((method) => method !== 'CONNECT');

const TEXTS = [
  '',
  'a',
  '0',
  '-1',
  'null',
  'é',
  '\u0000',
  '\ud800',
  '__proto__',
  'constructor',
  '%00',
  '%ff',
  '%',
  '../..',
  '//',
  '<script>',
  "' OR 1=1",
  '${x}',
  'x'.repeat(300),
  '\u{1f600}',
];

const TYPES = [
  'application/json',
  'application/json; charset=utf-16',
  'application/x-www-form-urlencoded',
  'application/cloudevents+json',
  'application/cloudevents-batch+json',
  'application/cloudevents+xml',
  'multipart/form-data; boundary=x',
  'text/plain',
  'image/png',
  ';',
  'a/b/c',
];

const HEADERS: ReadonlyArray<readonly [name: string, values: readonly string[]]> = [
  ['content-type', TYPES],
  ['idempotency-key', ['e-1', 'e-2', ' ', 'x'.repeat(256), 'x'.repeat(257), '\u00e9', '1, 2']],
  ['webhook-id', ['w-1', '']],
  ['ce-id', ['1', '%41']],
  ['ce-source', ['/x', '']],
  ['ce-type', ['t', '']],
  ['ce-specversion', ['1.0', '0.3']],
  ['ce-time', ['2026-01-01T00:00:00Z', 'yesterday']],
  ['traceparent', ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '00-0-0-0', 'x']],
  ['tracestate', ['a=1', '='.repeat(600)]],
  ['x-request-id', ['r-1', 'x'.repeat(200), '{}']],
  ['authorization', ['Bearer known to the sender', 'Bearer', 'Basic Og==', 'Basic !', 'x']],
  ['x-hub-signature-256', ['sha256=', `sha256=${'0'.repeat(64)}`, 'x']],
  ['x-github-event', ['push', 'ping', 'issues', '']],
  ['x-github-delivery', ['d-1', '']],
  ['x-gitlab-token', ['known to the sender', 'x']],
  ['stripe-signature', ['t=1,v1=0', 't=,v1=', ',,,', 't=9999999999999999999,v1=x']],
  ['x-slack-request-timestamp', ['1', 'now', '99999999999999999999']],
  ['x-slack-signature', ['v0=', 'v0=00']],
  ['x-twilio-signature', ['', 'AAAA']],
  ['webhook-request-origin', ['example.com', 'x', '*']],
  ['webhook-request-rate', ['1', '-1', 'x']],
  ['x-forwarded-for', ['1.2.3.4', 'x', '::1, 2']],
  ['cookie', ['a=b', ';;;']],
  ['accept-encoding', ['gzip', '*;q=0']],
  ['if-none-match', ['*', 'W/"x"']],
  ['range', ['bytes=0-', 'bytes=-1']],
  ['__proto__', ['x']],
  ['x-own', TEXTS.filter((text) => /^[\x20-\x7e]*$/.test(text))],
];

const API_PATHS = [
  '',
  '/',
  '/openapi.json',
  '/sources',
  '/sources/open',
  '/sources/nope',
  '/sources/open/subscriptions',
  '/sources/open/subscriptions?limit=0',
  '/sources/open/subscriptions?after=x',
  '/subscriptions',
  '/rejections',
  '/rejections?limit=-1',
  '/rejections?source=open&source=orders',
  '/filters/check',
  '/filters/test',
];

const FILTERS = [
  '',
  'true',
  "data.body.json.a == 'b'",
  'data.',
  '('.repeat(200),
  'data.a.matches("(a+)+$")',
  'data.list.all(x, data.list.all(y, x == y))',
  'event_type == \u0000',
  '1 / 0 == 1',
  'nope(1)',
];

/** Random numbers, the same for the same seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to 1, without 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0, below this. */
  below(end: number): number {
    return Math.floor(this.fraction() * end);
  }

  chance(part: number): boolean {
    return this.fraction() < part;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}

/** What is sent over the next connection. */
export function createConversation(random: Random, around: Surroundings): Conversation {
  const to = random.chance(0.8) ? 'webhooks' : 'management';
  const create = (): Parts =>
    to === 'management' ? createApiRequest(random) : createEventRequest(random, around);
  const requests = Array.from({ length: random.below(REQUESTS_MAX) }, () => toRequest(create()));
  if (random.chance(0.3) && requests.length > 0) return { to, requests, last: undefined };
  const request = toRequest(create());
  const bytes = spoil(random, request.bytes);
  const last = { request: { method: request.method, bytes }, isCutOff: random.chance(0.3) };
  return { to, requests, last };
}

/** A request before it is bytes. */
interface Parts {
  readonly method: string;
  readonly target: string;
  readonly headers: ReadonlyArray<readonly [string, string]>;
  readonly body: Buffer;
  readonly isChunked: boolean;
}

function toRequest({ method, target, headers, body, isChunked }: Parts): RandomRequest {
  const hasBody = body.length > 0;
  const framing = isChunked ? 'transfer-encoding: chunked' : `content-length: ${body.length}`;
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(hasBody || isChunked ? [framing] : []),
    '\r\n',
  ];
  const head = Buffer.from(lines.join('\r\n'), 'latin1');
  return { method, bytes: Buffer.concat([head, isChunked ? toChunks(body) : body]) };
}

function toChunks(body: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length; at += 1_000) {
    const chunk = body.subarray(at, at + 1_000);
    chunks.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
  }
  return Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')]);
}

function createEventRequest(random: Random, around: Surroundings): Parts {
  const kind = random.fraction();
  const [name, source] = random.pick([...around.sources]);
  const signed = kind < 0.35 ? createSigned(random, name, source) : undefined;
  if (signed) return signed;
  const place = kind < 0.85 ? `/webhooks/${name}` : '/events/told';
  const isPublished = place === '/events/told';
  const headers = createHeaders(random);
  if (isPublished && random.chance(0.7)) headers.push(['authorization', `Bearer ${around.key}`]);
  const path = random.chance(0.1) ? `/${toPath(random.pick(TEXTS))}` : place;
  return {
    method: random.chance(0.6) ? 'POST' : random.pick(KNOWN_METHODS),
    target: `${path}${createSuffix(random)}`,
    ...withBody(random, isPublished ? createCloudEvent(random) : createBody(random), headers),
  };
}

/** As the source's own sender would send it. */
function createSigned(random: Random, name: string, source: Source): Parts | undefined {
  const body = JSON.stringify(createJson(random));
  const headers = { 'content-type': 'application/json', 'x-github-event': 'push' };
  const draft = { method: 'POST', suffix: '', headers, body };
  try {
    const signing = { id: `s-${random.below(50)}`, at: new Date() };
    const { headers: signedHeaders, ...signed } = source.sign(draft, signing);
    return {
      method: signed.method,
      target: `/webhooks/${name}${signed.suffix}`,
      headers: [['host', 'localhost'], ...Object.entries(signedHeaders)],
      body: Buffer.from(signed.body),
      isChunked: random.chance(0.2),
    };
  } catch {
    return undefined; // Nobody signs for it.
  }
}

function createApiRequest(random: Random): Parts {
  const isFilter = random.chance(0.3);
  const path = isFilter ? `/filters/${random.pick(['check', 'test'])}` : random.pick(API_PATHS);
  const event = { type: random.pick(TEXTS), data: createJson(random) };
  const body = isFilter
    ? Buffer.from(JSON.stringify({ filter: random.pick(FILTERS), event }))
    : createBody(random);
  const place = random.chance(0.9) ? `/api/v1${path}` : random.pick(['/metrics', '/', '/api']);
  const headers = createHeaders(random);
  if (isFilter) headers.push(['content-type', 'application/json']);
  return {
    method: isFilter ? 'POST' : random.pick(['GET', 'GET', 'HEAD', ...KNOWN_METHODS]),
    target: random.chance(0.1) ? `${place}${createSuffix(random)}` : place,
    headers,
    body,
    isChunked: random.chance(0.2),
  };
}

function createHeaders(random: Random): Array<[string, string]> {
  const headers: Array<[string, string]> = [['host', random.pick(['localhost', 'localhost', 'x'])]];
  for (let count = random.below(6); count > 0; count -= 1) {
    const [name, values] = random.pick(HEADERS);
    headers.push([random.chance(0.2) ? name.toUpperCase() : name, random.pick(values)]);
  }
  return headers;
}

function createSuffix(random: Random): string {
  const path = random.chance(0.3) ? `/${toPath(random.pick(TEXTS))}` : '';
  if (!random.chance(0.3)) return path;
  const query = `${toPath(random.pick(TEXTS))}=${toPath(random.pick(TEXTS))}`;
  return `${path}?${query}&challenge=${toPath(random.pick(TEXTS))}`;
}

/** Of a text what may stand in an address: as it is where it can, which may be malformed there. */
function toPath(text: string): string {
  return text.replace(/[^\x21-\x7e]/gu, (one) =>
    encodeURIComponent(/\p{Cs}/u.test(one) ? '\ufffd' : one),
  );
}

function createJson(random: Random, depth = 0): unknown {
  const kind = random.below(depth > 4 ? 4 : 7);
  if (kind === 0) return random.pick([null, true, 0, -1, 1e300, 2 ** 53, 0.1]);
  if (kind < 4) return random.pick(TEXTS);
  if (kind === 4)
    return Array.from({ length: random.below(4) }, () => createJson(random, depth + 1));
  const keys = [
    'id',
    'type',
    'event',
    'object',
    'entry',
    'value',
    'number',
    'total',
    'data',
    'body',
  ];
  const all = [...keys, ...TEXTS, 'nextevent:body', 'action', 'object_kind'];
  return Object.fromEntries(
    Array.from({ length: random.below(6) }, () => [
      random.pick(all),
      createJson(random, depth + 1),
    ]),
  );
}

function createCloudEvent(random: Random): Buffer {
  const one = (): object => ({
    specversion: '1.0',
    id: `p-${random.below(100)}`,
    source: '/random',
    type: 'random',
    data: createJson(random),
    ...(random.chance(0.3) && { [random.pick(TEXTS)]: createJson(random) }),
  });
  const event = random.chance(0.3) ? Array.from({ length: random.below(4) }, one) : one();
  return Buffer.from(JSON.stringify(event));
}

function createBody(random: Random): Buffer {
  const kind = random.below(1_000);
  if (kind === 0) return Buffer.alloc(1_100_000, 'x');
  if (kind < 5) return Buffer.from('['.repeat(5_000));
  if (kind < 150) return Buffer.alloc(0);
  if (kind < 300) return random.bytes(random.below(200));
  if (kind < 400) return Buffer.from(`a=1&b=%zz&${toPath(random.pick(TEXTS))}=2`);
  const order = { number: `o-${random.below(100)}`, total: random.below(3) };
  const json = Buffer.from(JSON.stringify(random.chance(0.1) ? order : createJson(random)));
  return kind < 500 ? json.subarray(0, random.below(json.length + 1)) : json;
}

/** The body, perhaps compressed, with its headers. */
function withBody(
  random: Random,
  body: Buffer,
  headers: Array<[string, string]>,
): Pick<Parts, 'headers' | 'body' | 'isChunked'> {
  const isChunked = random.chance(0.2);
  const kind = random.below(200);
  if (kind > 20) return { headers, body, isChunked };
  const compressed: Array<[string, Buffer]> = [
    ['gzip', gzipSync(body)],
    ['deflate', deflateSync(body)],
    ['br', brotliCompressSync(body)],
    ['identity', body],
    ['zstd', body],
    ['gzip, gzip', body],
    ['gzip', body],
    ['br', gzipSync(body).subarray(0, 12)],
  ];
  const [encoding, encoded] = kind === 0 ? (['gzip', BOMB] as const) : random.pick(compressed);
  return { headers: [...headers, ['content-encoding', encoding]], body: encoded, isChunked };
}

/** More than 1 MiB once it is inflated. */
const BOMB = gzipSync(Buffer.alloc(4 * 1024 * 1024));

/** Makes anything of the bytes of a request. */
function spoil(random: Random, bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  const at = random.below(bytes.length + 1);
  const line = text.indexOf('\r\n') + 2;
  const insert = (what: string, where: number): Buffer =>
    Buffer.from(text.slice(0, where) + what + text.slice(where), 'latin1');
  const ways: Array<() => Buffer> = [
    () => bytes,
    () => bytes.subarray(0, at),
    () => random.bytes(random.below(300)),
    () => insert(random.bytes(1 + random.below(8)).toString('latin1'), at),
    () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(4))]),
    () => insert(`content-length: ${random.pick(['-1', '1', '99999999999', 'x', '+1'])}\r\n`, line),
    () =>
      insert(`transfer-encoding: ${random.pick(['chunked', 'gzip', 'x', 'chunked, x'])}\r\n`, line),
    () => insert(`x-large: ${'x'.repeat(20_000)}\r\n`, line),
    () => insert('x-many: 1\r\n'.repeat(2_500), line),
    () => insert(`?${'x'.repeat(20_000)}`, Math.max(0, text.indexOf(' HTTP/1.1'))),
    () => insert(`expect: ${random.pick(['100-continue', 'x'])}\r\n`, line),
    () => insert(`connection: upgrade\r\nupgrade: ${random.pick(['h2c', 'websocket'])}\r\n`, line),
    () => insert('host: other\r\n', line),
    () => insert(' folded\r\n', line),
    () => Buffer.from(text.replace(/host: \S+\r\n/, ''), 'latin1'),
    () => Buffer.from(text.replaceAll('\r\n', '\n'), 'latin1'),
    () =>
      Buffer.from(text.replace('HTTP/1.1', random.pick(['HTTP/1.0', 'HTTP/2.0', 'X'])), 'latin1'),
    () => Buffer.from(text.replace(/^\S+/, random.pick(['CONNECT', 'get', 'PRI', ''])), 'latin1'),
  ];
  return random.pick(ways)();
}
