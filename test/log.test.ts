// What processes log, and what never gets into it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { ConfigError } from '../config/errors.ts';
import { createLog, redactHeaders, type LogEntry } from '../config/log.ts';

const SECRET = 'do-not-tell';

/** The lines that are logged. */
function logged(env: Record<string, string>, line: string, entry?: LogEntry): string[] {
  const lines: string[] = [];
  createLog(env, (text) => lines.push(text))(line, entry);
  return lines;
}

function loggedAsJson(entry: LogEntry): Record<string, unknown> {
  const [line = '{}'] = logged({}, 'a line', entry);
  return JSON.parse(line) as Record<string, unknown>;
}

describe('A log', () => {
  test('is JSON with level, time and what the line is about', () => {
    const entry = loggedAsJson({ source: 'github', eventId: 'e1', requestId: undefined });
    const { time, ...rest } = entry;
    assert.deepEqual(rest, { level: 'info', source: 'github', eventId: 'e1', msg: 'a line' });
    assert.ok(Math.abs(Date.parse(String(time)) - Date.now()) < 60_000);
  });

  test('is the line alone, if it is for people', () => {
    const text = logged({ LOG_FORMAT: 'text' }, 'hello post -> nobody waits', { source: 'hello' });
    assert.deepEqual(text, ['hello post -> nobody waits\n']);
  });

  const levels: ReadonlyArray<readonly [least: string, at: LogEntry['level'], isLogged: boolean]> =
    [
      ['', 'debug', false],
      ['', 'info', true],
      ['debug', 'debug', true],
      ['warn', 'info', false],
      ['error', 'error', true],
    ];
  for (const [least, level, isLogged] of levels) {
    for (const LOG_FORMAT of ['json', 'text']) {
      const env = { LOG_FORMAT, LOG_LEVEL: least };
      test(`${isLogged ? 'has' : 'has no'} ${level} as ${LOG_FORMAT} at level "${least}"`, () => {
        assert.equal(logged(env, 'a line', { level: level ?? 'info' }).length, Number(isLogged));
      });
    }
  }

  test('is refused in words if its settings are not known', () => {
    assert.throws(() => createLog({ LOG_LEVEL: 'loud' }), ConfigError);
    assert.throws(() => createLog({ LOG_FORMAT: 'xml' }), ConfigError);
  });

  const names = [
    'authorization',
    'Proxy-Authorization',
    'cookie',
    'Set-Cookie',
    'x-hub-signature-256',
    'stripeSignature',
    'webhookSecret',
    'accessToken',
    'password',
    'apiKey',
    'api_key',
    'privateKey',
    'x-shopify-hmac-sha256',
  ];
  for (const name of names) {
    test(`does not tell ${name}, wherever it is`, () => {
      const entry = loggedAsJson({ [name]: SECRET, a: [{ b: { [name]: { deep: SECRET } } }] });
      assert.doesNotMatch(JSON.stringify(entry), new RegExp(SECRET));
      assert.equal(entry[name], '[redacted]');
    });
  }

  test('has of an error its type, message, stack and causes, and no more', () => {
    const cause = Object.assign(new TypeError('inner'), { config: { headers: SECRET } });
    const error = Object.assign(new Error('outer', { cause }), { metadata: { a: SECRET } });
    const { err } = loggedAsJson({ error, attached: error }) as {
      err: { type: string; message: string; stack: string; cause: { type: string } };
    };
    assert.deepEqual([err.type, err.message, err.cause.type], ['Error', 'outer', 'TypeError']);
    assert.match(err.stack, /log\.test\.ts/);
    assert.doesNotMatch(JSON.stringify(loggedAsJson({ error, attached: error })), /do-not-tell/);
  });

  test('goes neither round nor down without end', () => {
    const round: Record<string, unknown> = {};
    round.round = round;
    assert.equal(loggedAsJson({ round }).msg, 'a line');
  });
});

test('Of headers the values are logged that are known to be harmless', () => {
  const headers = { 'Content-Type': 'text/plain', 'x-acme-sig': SECRET, 'x-mine': SECRET };
  assert.deepEqual(redactHeaders(headers), {
    'Content-Type': 'text/plain',
    'x-acme-sig': '[redacted]',
    'x-mine': '[redacted]',
  });
});
