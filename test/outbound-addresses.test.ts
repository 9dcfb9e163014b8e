// Where requests may go, and where they must never: the guard by itself, and at work, with receivers
// that would answer if they were reached.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { after, describe, test } from 'node:test';

import { checkUrl, isReachable, toAllowRules, type AllowOptions } from '../outbound/addresses.ts';
import { createAgent } from '../outbound/agent.ts';
import { AddressError } from '../outbound/errors.ts';
import { closeTransports } from '../outbound/outbound.ts';
import { makeAttempt } from '../outbound/attempt.ts';
import { toDefinition } from '../config/outbound.ts';
import { until } from '../testing/until.ts';
import {
  attemptOf,
  bob,
  HERE,
  outboundOf,
  SOURCES,
  startReceiver,
  stopReceivers,
} from './outbound.ts';

after(stopReceivers);

/** What a name resolves to, one time after the other; the last for ever. */
function resolving(...answers: ReadonlyArray<readonly string[]>): () => Promise<readonly string[]> {
  const left = [...answers];
  return async () => (left.length > 1 ? left.shift() : left[0]) ?? [];
}

async function unknownName(): Promise<never> {
  throw Object.assign(new Error('getaddrinfo ENOTFOUND hooks.example'), { code: 'ENOTFOUND' });
}

function isAddressError(message: RegExp) {
  return (error: unknown): boolean => error instanceof AddressError && message.test(error.message);
}

const NOT_ALLOWED = 'the address is not allowed';

describe('an address', () => {
  const cases: ReadonlyArray<[address: string, isPublic: boolean]> = [
    // IPv4, with the neighbours of what is not public.
    ['1.1.1.1', true],
    ['8.8.8.8', true],
    ['0.0.0.0', false],
    ['0.0.0.1', false],
    ['0.255.255.255', false],
    ['1.0.0.0', true],
    ['9.255.255.255', true],
    ['10.0.0.0', false],
    ['10.254.3.9', false],
    ['11.0.0.0', true],
    ['100.63.255.255', true],
    ['100.64.0.0', false],
    ['100.127.255.255', false],
    ['100.128.0.0', true],
    ['126.255.255.255', true],
    ['127.0.0.1', false],
    ['127.255.255.254', false],
    ['128.0.0.1', true],
    ['169.253.255.255', true],
    ['169.254.0.1', false],
    ['169.254.169.254', false],
    ['169.255.0.1', true],
    ['172.15.255.255', true],
    ['172.16.0.1', false],
    ['172.31.255.255', false],
    ['172.32.0.1', true],
    ['191.255.255.255', true],
    ['192.0.0.1', false],
    ['192.0.0.170', false],
    ['192.0.1.1', true],
    ['192.0.2.1', false],
    ['192.88.99.1', false],
    ['192.167.255.255', true],
    ['192.168.1.1', false],
    ['192.169.0.1', true],
    ['198.17.255.255', true],
    ['198.18.0.1', false],
    ['198.19.255.255', false],
    ['198.20.0.1', true],
    ['198.51.100.7', false],
    ['203.0.113.7', false],
    ['223.255.255.255', true],
    ['224.0.0.1', false],
    ['239.255.255.255', false],
    ['240.0.0.1', false],
    ['255.255.255.255', false],
    // IPv6.
    ['2606:4700:4700::1111', true],
    ['2001:4860:4860::8888', true],
    ['2a00:1450:4001:81b::200e', true],
    ['::', false],
    ['::1', false],
    ['fe80::1', false],
    ['fe80::1%lo', false],
    ['2606:4700:4700::1111%lo', false],
    ['fc00::1', false],
    ['fd00::1', false],
    ['fd00:ec2::254', false],
    ['fec0::1', false],
    ['ff02::1', false],
    ['100::1', false],
    ['2001::1', false],
    ['2001:2::1', false],
    ['2001:10::1', false],
    ['2001:20::1', false],
    ['2001:1ff:ffff::1', false],
    ['2001:200::1', true],
    ['2001:db8::1', false],
    ['2002:7f00:1::', false],
    ['2002:808:808::1', false],
    ['3ffe::1', true],
    ['3fff::1', false],
    ['4000::1', false],
    ['5f00::1', false],
    // IPv4 within IPv6.
    ['::ffff:127.0.0.1', false],
    ['::ffff:7f00:1', false],
    ['::ffff:10.0.0.1', false],
    ['::ffff:169.254.169.254', false],
    ['::ffff:8.8.8.8', true],
    ['::127.0.0.1', false],
    ['::7f00:1', false],
    ['::8.8.8.8', false],
    ['::ffff:0:7f00:1', false],
    ['64:ff9b::7f00:1', false],
    ['64:ff9b::8.8.8.8', false],
    ['64:ff9b:1::1', false],
    // No addresses.
    ['', false],
    ['localhost', false],
    ['1.1.1', false],
    ['1.1.1.1.1', false],
    ['01.1.1.1', false],
  ];
  const rules = toAllowRules();
  for (const [address, isPublic] of cases) {
    test(`${address || 'that is empty'} is ${isPublic ? '' : 'not '}reachable`, () => {
      assert.equal(isReachable('example.com', address, rules), isPublic);
    });
  }

  test('that is not public is reachable if the configuration says so, and its neighbours are not', () => {
    const allowed = toAllowRules({ addresses: ['10.1.0.0/16', '::1', '192.168.7.1'] });
    for (const address of ['10.1.0.1', '10.1.255.255', '::1', '192.168.7.1', '::ffff:10.1.2.3']) {
      assert.equal(isReachable('a.example', address, allowed), true, address);
    }
    for (const address of ['10.0.255.255', '10.2.0.0', '::2', '192.168.7.2', '127.0.0.1']) {
      assert.equal(isReachable('a.example', address, allowed), false, address);
    }
  });

  test('of a host that the configuration names is reachable whatever it is', () => {
    const allowed = toAllowRules({ hosts: ['Hooks.internal', '*.corp.example'] });
    for (const host of [
      'hooks.internal',
      'HOOKS.internal.',
      'a.corp.example',
      'b.a.corp.example',
    ]) {
      assert.equal(isReachable(host, '10.0.0.1', allowed), true, host);
    }
    for (const host of [
      'corp.example',
      'a-corp.example',
      'evil-hooks.internal',
      'x.hooks.internal',
    ]) {
      assert.equal(isReachable(host, '10.0.0.1', allowed), false, host);
    }
  });
});

describe('a url', () => {
  const cases: ReadonlyArray<[url: string, allow: AllowOptions, refusal: RegExp | undefined]> = [
    ['https://example.com/hooks?a=b', {}, undefined],
    ['https://example.com:443/', {}, undefined],
    ['https://1.1.1.1/', {}, undefined],
    ['https://[2606:4700::1111]/', {}, undefined],
    ['http://example.com/', {}, /not https/],
    ['http://example.com/', { http: true }, undefined],
    ['ftp://example.com/', { http: true }, /ftp:, which is not https/],
    ['file:///etc/passwd', { http: true }, /file:/],
    ['javascript:alert(1)', {}, /javascript:/],
    ['example.com/hooks', {}, /not a URL/],
    ['', {}, /not a URL/],
    ['//example.com', {}, /not a URL/],
    ['https://example.com:8443/', {}, /port 8443 is not allowed/],
    ['https://example.com:8443/', { ports: [443, 8443] }, undefined],
    ['https://example.com:8443/', { ports: 'any' }, undefined],
    ['https://example.com:22/', {}, /port 22/],
    ['https://example.com/', { ports: [8443] }, /port 443/],
    ['http://example.com/', { http: true, ports: [443] }, /port 80/],
    ['https://user@example.com/', {}, /credentials/],
    ['https://user:password@example.com/', {}, /credentials/],
    ['https://example.com@127.0.0.1/', {}, /credentials/],
    ['https://127.0.0.1/', {}, /address of 127\.0\.0\.1 is not allowed/],
    ['https://127.0.0.1/', { addresses: ['127.0.0.1'] }, undefined],
    ['https://127.0.0.1/', { hosts: ['127.0.0.1'] }, undefined],
    ['https://2130706433/', {}, /not allowed/],
    ['https://0x7f000001/', {}, /not allowed/],
    ['https://0x7f.1/', {}, /not allowed/],
    ['https://0177.0.0.1/', {}, /not allowed/],
    ['https://017700000001/', {}, /not allowed/],
    ['https://127.1/', {}, /not allowed/],
    ['https://127.0.0.1./', {}, /not allowed/],
    ['https://１２７.０.０.１/', {}, /not allowed/],
    ['https://0/', {}, /not allowed/],
    ['https://169.254.169.254/latest/meta-data', {}, /not allowed/],
    ['https://[::1]/', {}, /not allowed/],
    ['https://[::1]/', { addresses: ['::1'] }, undefined],
    ['https://[::]/', {}, /not allowed/],
    ['https://[::ffff:127.0.0.1]/', {}, /not allowed/],
    ['https://[::7f00:1]/', {}, /not allowed/],
    ['https://[64:ff9b::7f00:1]/', {}, /not allowed/],
    ['https://[fe80::1]/', {}, /not allowed/],
    ['https://[fe80::1%25lo]/', {}, /not a URL/],
    ['https://[fd00:ec2::254]/', {}, /not allowed/],
    ['https://localhost/', {}, /not allowed/],
    ['https://LOCALHOST./', {}, /not allowed/],
    ['https://a.localhost/', {}, /not allowed/],
    ['https://localhost/', { addresses: ['127.0.0.1'] }, undefined],
    ['https://example.com\\@127.0.0.1/', {}, /not a URL/],
    ['https://example.com/a\r\nHost: internal', {}, /not a URL/],
    ['https://exa\tmple.com/', {}, /not a URL/],
    [' https://example.com/', {}, /not a URL/],
    [`https://example.com/${'a'.repeat(2_028)}`, {}, undefined],
    [`https://example.com/${'a'.repeat(2_029)}`, {}, /2049 characters, at most 2048/],
  ];
  for (const [url, allow, refusal] of cases) {
    const what = JSON.stringify(url.slice(0, 60));
    test(`${what} with ${JSON.stringify(allow)} is ${refusal ? 'refused' : 'taken'}`, () => {
      const rules = toAllowRules(allow);
      if (refusal === undefined) checkUrl(url, rules);
      else assert.throws(() => checkUrl(url, rules), isAddressError(refusal));
    });
  }
});

describe('what the configuration allows', () => {
  const cases: ReadonlyArray<[options: object, refusal: RegExp]> = [
    [{ http: 1 }, /allow\.http is neither/],
    [{ hosts: 'a' }, /allow\.hosts is not a list/],
    [{ hosts: [''] }, /allow\.hosts is not a list/],
    [{ addresses: ['10.0.0.0/33'] }, /"10\.0\.0\.0\/33" is neither/],
    [{ addresses: ['10.0.0.0/'] }, /is neither/],
    [{ addresses: ['10.0.0.0/8/8'] }, /is neither/],
    [{ addresses: ['internal'] }, /"internal" is neither/],
    [{ addresses: ['fe80::1%lo'] }, /is neither/],
    [{ ports: [0] }, /allow\.ports/],
    [{ ports: [65_536] }, /allow\.ports/],
    [{ ports: 'all' }, /allow\.ports/],
  ];
  for (const [options, refusal] of cases) {
    test(`${JSON.stringify(options)} is refused`, () => {
      assert.throws(() => toAllowRules(options), refusal);
    });
  }
});

describe('a connection', () => {
  const denials: ReadonlyArray<[what: string, addresses: readonly string[]]> = [
    ['an address that is not allowed', ['127.0.0.2']],
    ['one that is allowed and one that is not', ['127.0.0.1', '127.0.0.2']],
    ['the same in the other order', ['127.0.0.2', '127.0.0.1']],
    ['IPv4 within IPv6', ['::ffff:127.0.0.2']],
    ['the address of instance metadata', ['169.254.169.254']],
  ];
  for (const [what, addresses] of denials) {
    test(`is not made to a name that resolves to ${what}`, async () => {
      const receiver = await startReceiver();
      const outbound = outboundOf({}, { resolve: resolving(addresses) });
      const record = await attemptOf(outbound, { url: `http://hooks.example:${receiver.port}/` });
      assert.equal(record.message, NOT_ALLOWED);
      assert.equal(record.isSuccessful, false);
      assert.equal(receiver.connections, 0);
    });
  }

  test('is made to the address that was checked, with the name as Host', async () => {
    const receiver = await startReceiver();
    const outbound = outboundOf({}, { resolve: resolving(['127.0.0.1']) });
    const url = `http://hooks.example:${receiver.port}/a?b=c`;
    const record = await attemptOf(outbound, { url });
    assert.equal(record.message, '200 OK');
    assert.equal(receiver.seen[0]?.headers.host, `hooks.example:${receiver.port}`);
    assert.equal(receiver.seen[0]?.path, '/a?b=c');
  });

  test('is not made when the name has moved since it was looked at', async () => {
    const receiver = await startReceiver();
    // Another guard would resolve once to check, and the client again to dial.
    const answers = resolving(['127.0.0.1'], ['127.0.0.2']);
    let asked = 0;
    const resolve = async () => {
      asked += 1;
      return answers();
    };
    const outbound = outboundOf({}, { resolve });
    const record = await attemptOf(outbound, { url: `http://hooks.example:${receiver.port}/` });
    assert.equal(record.message, '200 OK');
    assert.equal(asked, 1);
  });

  test('that is kept is used again, and a new one is checked again', async () => {
    const server = createServer();
    const receiver = await startReceiver(undefined, server);
    let address = '127.0.0.1';
    const outbound = outboundOf({}, { resolve: async () => [address] });
    const url = `http://hooks.example:${receiver.port}/`;
    const definition = toDefinition({ url }, { sources: SOURCES, outbound });
    const { signal } = new AbortController();
    const send = async () =>
      (await makeAttempt(outbound, { definition, event: bob, reason: 'event', signal })).message;
    try {
      for (let times = 0; times < 3; times += 1) assert.equal(await send(), '200 OK');
      const { connections } = receiver;
      address = '127.0.0.2';
      assert.equal(await send(), '200 OK');
      server.closeIdleConnections();
      await until('connections are refused', async () => (await send()) === NOT_ALLOWED);
      assert.equal(receiver.connections, connections);
    } finally {
      await closeTransports(outbound);
    }
  });

  test('is not made to literal addresses, which are not resolved', async () => {
    const receiver = await startReceiver();
    // The definition was made when more was allowed: only the attempt can refuse it now.
    const before = outboundOf({ allow: { ...HERE, addresses: ['127.0.0.0/8', '::/0'] } });
    const now = outboundOf();
    for (const host of ['127.0.0.2', '2130706434', '0x7f.2', '[::ffff:127.0.0.2]', '[::1]']) {
      const url = `http://${host}:${receiver.port}/`;
      const definition = toDefinition({ url }, { sources: SOURCES, outbound: before });
      const record = await attemptOf(now, { url: receiver.url }, { definition });
      assert.match(record.message, /^the address of .* is not allowed$/, host);
    }
    assert.equal(receiver.connections, 0);
  });

  test('is not made to them either by a client that checks no url', async () => {
    const receiver = await startReceiver();
    const agent = createAgent({ rules: toAllowRules(HERE), resolve: resolving(['127.0.0.2']) });
    try {
      for (const host of ['127.0.0.2', '2130706434', '[::ffff:7f00:2]', '[::1]', 'hooks.example']) {
        const asking = agent.request({
          origin: `http://${host}:${receiver.port}`,
          path: '/',
          method: 'POST',
        });
        await assert.rejects(asking, isAddressError(/^the address is not allowed$/), host);
      }
    } finally {
      await agent.destroy();
    }
    assert.equal(receiver.connections, 0);
  });

  test('is not made where a redirect points', async () => {
    const inner = await startReceiver();
    const outer = await startReceiver((response) => {
      response.writeHead(302, { location: `http://127.0.0.1:${inner.port}/` }).end();
    });
    const record = await attemptOf(outboundOf(), { url: outer.url });
    assert.equal(record.message, '302 Found: redirects are not followed');
    assert.equal(record.isSuccessful, false);
    assert.equal(record.response?.headers.location, `http://127.0.0.1:${inner.port}/`);
    assert.equal(inner.connections, 0);
  });

  test('over TLS has the name of the url, not its address', async () => {
    const [key, cert] = await Promise.all([
      readFile(new URL('certificates/receiver.key.pem', import.meta.url)),
      readFile(new URL('certificates/receiver.crt.pem', import.meta.url)),
    ]);
    const server = createTlsServer({ key, cert });
    const names: unknown[] = [];
    server.on('secureConnection', ({ servername }) => names.push(servername));
    const receiver = await startReceiver(undefined, server);
    const trusting = { resolve: resolving(['127.0.0.1']), tls: { ca: cert } };
    const url = `https://hooks.example:${receiver.port}/`;
    const record = await attemptOf(outboundOf({}, trusting), { url });
    assert.equal(record.message, '200 OK');
    assert.deepEqual(names, ['hooks.example']);

    const distrusting = outboundOf({}, { resolve: resolving(['127.0.0.1']) });
    assert.equal((await attemptOf(distrusting, { url })).message, 'the certificate is not trusted');
    const other = `https://other.example:${receiver.port}/`;
    const misled = await attemptOf(outboundOf({}, trusting), { url: other });
    assert.equal(misled.message, 'the certificate is for another name');
    const plain = await startReceiver();
    const spoken = await attemptOf(outboundOf({}, trusting), {
      url: `https://hooks.example:${plain.port}/`,
    });
    assert.equal(spoken.message, 'no TLS connection could be made');
  });

  test('is made by the addresses that this system knows, if all are allowed', async () => {
    const receiver = await startReceiver();
    const url = `http://localhost:${receiver.port}/`;
    const allow = { ...HERE, addresses: ['127.0.0.1', '::1'] };
    assert.equal((await attemptOf(outboundOf({ allow }), { url })).message, '200 OK');
  });

  test('is not made to a name that nobody knows', async () => {
    const record = await attemptOf(outboundOf({}, { resolve: unknownName }), {
      url: 'http://hooks.example/',
    });
    assert.equal(record.message, 'the name could not be resolved');
    assert.equal(record.response, undefined);
    const empty = await attemptOf(outboundOf({}, { resolve: async () => [] }), {
      url: 'http://hooks.example/',
    });
    assert.equal(empty.message, 'the name could not be resolved');
  });
});
