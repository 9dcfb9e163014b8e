// Names of receivers, asked of a name server that runs here.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';

import { createResolve, type Resolve } from '../outbound/lookup.ts';
import { attemptOf, outboundOf, startReceiver, stopReceivers } from './outbound.ts';

const A = 1;
const CNAME = 5;
const AAAA = 28;

/** NXDOMAIN, and success. */
const UNKNOWN = 3;
const KNOWN = 0;

/** A line of a zone: the name's bytes are compressed to where the question has them. */
interface Answer {
  readonly type: number;
  readonly data: Buffer;
}

const loopback: Answer = { type: A, data: Buffer.from([127, 0, 0, 1]) };
const other: Answer = { type: A, data: Buffer.from([127, 0, 0, 2]) };
const loopback6: Answer = { type: AAAA, data: Buffer.from(`${'00'.repeat(15)}01`, 'hex') };
const alias: Answer = { type: CNAME, data: nameOf('hooks.test') };

/** What the server knows. `dead.test` it leaves without an answer. */
const zone = new Map<string, readonly Answer[]>([
  ['hooks.test', [loopback]],
  ['both.test', [loopback, loopback6]],
  ['denied.test', [loopback, other]],
  ['alias.test', [alias, loopback]],
]);

const server = createSocket('udp4');
const asked: string[] = [];
let resolve: Resolve;

/** For a server from which no answer will come. */
let resolveBriefly: Resolve;

before(async () => {
  server.on('message', (question, { port, address }) => {
    const { name, type } = parse(question);
    asked.push(name);
    if (name !== 'dead.test') server.send(answerTo(question, name, type), port, address);
  });
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  const servers = [`127.0.0.1:${server.address().port}`];
  resolve = createResolve({ servers, questionMsMax: 5_000 });
  resolveBriefly = createResolve({ servers, questionMsMax: 200 });
});

after(() => {
  server.close();
  stopReceivers();
});

describe('the name of a receiver', () => {
  test('has all its addresses, of both kinds, and those of its alias', async () => {
    assert.deepEqual(await resolve('hooks.test'), ['127.0.0.1']);
    assert.deepEqual(await resolve('both.test'), ['127.0.0.1', '::1']);
    assert.deepEqual(await resolve('alias.test'), ['127.0.0.1']);
  });

  test('is asked for once by all who want it at the same time', async () => {
    asked.length = 0;
    const found = await Promise.all([1, 2, 3].map(() => resolve('hooks.test')));
    assert.deepEqual(new Set(found.flat()), new Set(['127.0.0.1']));
    // For its addresses of IPv4, and of IPv6.
    assert.deepEqual(asked, ['hooks.test', 'hooks.test']);
  });

  test('is asked of the system if it has one label, or no server knows it', async () => {
    asked.length = 0;
    assert.ok((await resolve('localhost')).every((address) => /^(127\.|::1$)/.test(address)));
    assert.equal(asked.length, 0);
    await assert.rejects(resolve('nobody.test'));
    assert.ok(asked.includes('nobody.test'));
  });

  test('whose server is dead is not asked of the system, too', async () => {
    await assert.rejects(resolveBriefly('dead.test'), { code: 'ENOTFOUND' });
    const outbound = outboundOf({}, { resolve: resolveBriefly });
    const record = await attemptOf(outbound, { url: 'http://dead.test/' });
    assert.equal(record.message, 'the name could not be resolved');
  });

  test('leads to a receiver, by an alias too, if all its addresses are allowed', async () => {
    const receiver = await startReceiver();
    const message = async (host: string) => {
      const url = `http://${host}:${receiver.port}/`;
      return (await attemptOf(outboundOf({}, { resolve }), { url })).message;
    };
    assert.equal(await message('hooks.test'), '200 OK');
    assert.equal(await message('alias.test'), '200 OK');
    assert.equal(await message('denied.test'), 'the address is not allowed');
    // Only 127.0.0.1 is allowed, and this one has ::1 besides.
    assert.equal(await message('both.test'), 'the address is not allowed');
  });
});

function parse(question: Buffer): { readonly name: string; readonly type: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: question.readUInt16BE(at + 1) };
}

function answerTo(question: Buffer, name: string, type: number): Buffer {
  const known = zone.get(name);
  const answers = (known ?? []).filter((answer) => answer.type === type || answer.type === CNAME);
  const end = question.indexOf(0, 12) + 5;
  const header = Buffer.from(question.subarray(0, 12));
  header.writeUInt16BE(0x8180 | (known === undefined ? UNKNOWN : KNOWN), 2);
  header.writeUInt16BE(answers.length, 6);
  header.writeUInt16BE(0, 8);
  header.writeUInt16BE(0, 10);
  return Buffer.concat([header, question.subarray(12, end), ...answers.map(toRecord(answers))]);
}

/** What follows an alias is of the name that it stands for. */
function toRecord(answers: readonly Answer[]) {
  const isAlias = answers[0]?.type === CNAME;
  return ({ type, data }: Answer): Buffer => {
    const fixed = Buffer.alloc(10);
    fixed.writeUInt16BE(type, 0);
    fixed.writeUInt16BE(1, 2);
    fixed.writeUInt32BE(0, 4);
    fixed.writeUInt16BE(data.length, 8);
    const owner = isAlias && type !== CNAME ? nameOf('hooks.test') : Buffer.from([0xc0, 12]);
    return Buffer.concat([owner, fixed, data]);
  };
}

function nameOf(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}
