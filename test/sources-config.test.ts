// What a configuration may say of sources, and what it is told when it says something else.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { ConfigError } from '../config/errors.ts';
import * as sources from '../nextevent.ts';

const KEY = { secret: 's' };

describe('a source is not made', () => {
  // JavaScript users are not held to the types.
  const make = sources as unknown as Readonly<Record<string, (options: unknown) => unknown>>;
  const refusals: ReadonlyArray<[name: string, options: unknown, message: RegExp]> = [
    ['github', {}, /^github: secret must be text that is not empty, or env\('VARIABLE'\)$/],
    ['github', { secret: '' }, /^github: secret must be text/],
    ['github', { secret: [] }, /^github: secret is an empty list$/],
    ['github', { secret: ['good', 5] }, /^github: secret must be text/],
    ['github', { secret: 's', verify: 'some' }, /^verify is "some", must be 'none' or left out$/],
    ['github', { secret: 's', verify: false }, /^verify is false/],
    ['gitlab', {}, /^gitlab: secret is missing/],
    ['gitlab', { secret: 'whsec_*' }, /^gitlab: secret is not whsec_ or whpk_ and base64$/],
    ['stripe', { ...KEY, tolerance: '5 parsecs' }, /^stripe: tolerance is 5 parsecs/],
    ['stripe', { ...KEY, tolerance: 0 }, /^stripe: tolerance is 0, must be milliseconds/],
    ['slack', { ...KEY, tolerance: -1 }, /^slack: tolerance is -1/],
    ['standardWebhooks', { secret: 'whsec_' }, /^standardWebhooks: secret is not whsec_/],
    [
      'standardWebhooks',
      { secret: 'whpk_c2hvcnQ=' },
      /^standardWebhooks: secret is no public key$/,
    ],
    ['standardWebhooks', { secret: 'YQ==', eventType: { json: '' } }, /eventType\.json is ""/],
    ['twilio', { authToken: 't' }, /^twilio: url must be text/],
    ['twilio', { authToken: 't', url: 'example.com' }, /^twilio: url is no address/],
    ['twilio', { authToken: 't', url: 'https://a.b/?c=d' }, /^twilio: url is no address/],
    ['discord', { publicKey: 'abc' }, /^discord: publicKey is not the key that discord shows$/],
    ['sendgrid', { publicKey: 'abc' }, /^sendgrid: publicKey is not the key that sendgrid shows$/],
    ['meta', KEY, /^meta: verifyToken must be text/],
    ['microsoftGraph', {}, /^microsoftGraph: clientState must be text/],
    ['hmac', { ...KEY, header: 'x y' }, /^hmac: header is "x y", not a header's name$/],
    ['hmac', { ...KEY, header: 'x', algorithm: 'md5' }, /^hmac: algorithm is "md5", must be sha1/],
    ['hmac', { ...KEY, header: 'x', encoding: 'utf8' }, /^hmac: encoding is "utf8"/],
    ['hmac', { ...KEY, header: 'x', timestamp: { header: '' } }, /^hmac: timestamp\.header is ""/],
    [
      'hmac',
      { ...KEY, header: 'x', eventId: { json: 'a..b' } },
      /^hmac: eventId\.json is "a\.\.b"/,
    ],
    ['bearer', {}, /^bearer: token must be text/],
    ['basic', { username: 'u' }, /^basic: password must be text/],
    ['apiKey', { key: 'k', header: ':' }, /^apiKey: header is ":"/],
    ['env', 'GITHUB-SECRET', /^env: that is not the name of an environment variable$/],
    ['defineSource', { kind: '' }, /^defineSource: kind is empty$/],
    ['defineSource', { kind: 'a', verify: 'none' }, /^defineSource: toEvents is not a function$/],
    ['defineSource', { kind: 'a', toEvents() {} }, /^defineSource: verify is neither/],
  ];
  for (const [name, options, message] of refusals) {
    test(`by ${name}(${JSON.stringify(options)})`, () => {
      assert.throws(
        () => make[name]?.(options),
        (error: Error) => {
          assert.match(error.message, message);
          return error instanceof ConfigError;
        },
      );
    });
  }

  test('with a message that has the secret in it', () => {
    const secret = 'whsec_not-base64';
    assert.throws(
      () => sources.standardWebhooks({ secret }),
      (error: Error) => !error.message.includes('not-base64'),
    );
  });
});

describe('a source with several secrets', () => {
  const unset = sources.env('NEXTEVENT_TEST_UNSET');

  test('is on if one of them is set', () => {
    assert.deepEqual(sources.github({ secret: [unset, 'set'] }).missing, []);
  });
  test('is off if none is', () => {
    const other = sources.env('NEXTEVENT_TEST_UNSET_TOO');
    const { missing } = sources.github({ secret: [unset, other] });
    assert.deepEqual(missing, ['NEXTEVENT_TEST_UNSET', 'NEXTEVENT_TEST_UNSET_TOO']);
  });
  test('of different kinds is on with what is set, and off with nothing', () => {
    assert.deepEqual(sources.gitlab({ secret: unset, token: 'token' }).missing, []);
    assert.deepEqual(sources.gitlab({ secret: 'whsec_YQ==', token: unset }).missing, []);
    assert.deepEqual(sources.gitlab({ secret: unset, token: unset }).missing, [unset.env]);
    const half = sources.meta({ secret: 's', verifyToken: unset });
    assert.deepEqual(half.missing, [unset.env]);
  });
});
