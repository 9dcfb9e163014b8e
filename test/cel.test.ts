import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { compileFilter, toFilterInput } from '../events/filter.ts';
import { cel, type CelValue } from '../workflows/cel.ts';
import { InvalidArgumentError } from '../workflows/errors.ts';

const literals: Array<[value: CelValue, literal: string]> = [
  ['abc', `'abc'`],
  [`it's "quoted" \\ \n`, `'it\\u0027s \\u0022quoted\\u0022 \\u005c \\u000a'`],
  [5, '5'],
  [-5, '(-5)'],
  [-0, '0'],
  [2.5, '2.5'],
  [-2.5, '(-2.5)'],
  [1e21, '1e+21'],
  [Number.MAX_SAFE_INTEGER + 1, '9007199254740992.0'],
  [9007199254740993n, '9007199254740993'],
  [true, 'true'],
  [null, 'null'],
];

describe('cel', () => {
  for (const [value, literal] of literals) {
    test(`writes ${String(value)} as ${literal}`, () => assert.equal(cel`${value}`, literal));
  }

  const refused: Array<[name: string, value: unknown]> = [
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['undefined', undefined],
    ['an object', { a: 1 }],
    ['an array', ['a']],
    ['an integer over 64 bits', 2n ** 63n],
  ];
  for (const [name, value] of refused) {
    test(`refuses ${name}`, () =>
      assert.throws(() => cel`data.x == ${value as CelValue}`, InvalidArgumentError));
  }

  test('takes the text around the values as written', () => {
    assert.equal(
      cel`data.x.matches('\\d') && data.y == ${1}`,
      String.raw`data.x.matches('\\d') && data.y == 1`,
    );
  });

  test('refuses a value inside quotes or a comment', () => {
    assert.throws(() => cel`data.x == '${'a'}'`, InvalidArgumentError);
    assert.throws(() => cel`data.x == "it's ${'a'}"`, InvalidArgumentError);
    assert.throws(() => cel`data.x == r'${'a'}'`, InvalidArgumentError);
    assert.throws(() => cel`data.x == """ " ${'a'}"""`, InvalidArgumentError);
    assert.throws(() => cel`true // ${'a'}`, InvalidArgumentError);
    assert.equal(
      cel`data.x == 'it\'s' && data.y == ${'a'}`,
      String.raw`data.x == 'it\'s' && data.y == 'a'`,
    );
  });

  test('never lets text from a user widen the filter', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(`' || true || '`, `" || true || "`, `\\' || true //`, `'''`, '\\'),
    );
    fc.assert(
      fc.property(hostile, hostile, (wanted, actual) => {
        const filter = compileFilter(cel`data.name == ${wanted}`);
        assert.equal(filter.evaluate(inputOf(actual)).matched, wanted === actual);
        assert.equal(filter.evaluate(inputOf(wanted)).matched, true);
      }),
      { numRuns: 500 },
    );
  });
});

function inputOf(name: string) {
  return toFilterInput({ id: '1', source: 's', type: 't', time: '', data: { name } });
}
