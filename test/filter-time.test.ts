import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { FILTER_STEPS_MAX } from '../events/filter-budget.ts';
import { compileFilter, toFilterInput } from '../events/filter.ts';

const instant = `timestamp('2026-03-29T01:30:15.678Z')`;

describe('time in filters', () => {
  const cases: Array<[filter: string, answer: boolean | RegExp]> = [
    [`${instant}.getHours('Europe/Berlin') == 3`, true], // An hour is left out there at two.
    [`timestamp('2026-03-29T00:59:59Z').getHours('Europe/Berlin') == 1`, true],
    [`${instant}.getHours('+02:00') == 3 && ${instant}.getHours('02:00') == 3`, true],
    [`${instant}.getHours('-02:00') == 23 && ${instant}.getDate('-02:00') == 28`, true],
    [
      `${instant}.getMilliseconds() == 678 && ${instant}.getMilliseconds('Asia/Kolkata') == 678`,
      true,
    ],
    [
      `${instant}.getSeconds('Asia/Kolkata') == 15 && ${instant}.getMinutes('Asia/Kolkata') == 0`,
      true,
    ],
    [`timestamp('2025-12-31T20:00:00Z').getFullYear('Asia/Tokyo') == 2026`, true],
    [`timestamp('2025-12-31T20:00:00Z').getDayOfYear('Asia/Tokyo') == 0`, true],
    [`timestamp('2024-12-31T20:00:00Z').getDayOfYear() == 365`, true],
    [`timestamp('0001-01-01T00:00:00Z').getFullYear() == 1`, true],
    [`timestamp('0050-06-01T00:00:00Z').getFullYear('Asia/Tokyo') == 50`, true],
    [`timestamp('2024-02-29T00:00:00Z') < timestamp('2024-03-01T00:00:00Z')`, true],
    [`timestamp('2026-01-01T00:00:00.5+05:30') == timestamp('2025-12-31T18:30:00.500Z')`, true],
    [`string(timestamp('2026-01-01T02:00:00.120+02:00')) == '2026-01-01T00:00:00.12Z'`, true],
    [`timestamp(1767225600) == timestamp('2026-01-01T00:00:00Z')`, true],
    [`int(timestamp('1969-12-31T23:59:59.5Z')) == -1`, true],
    [`timestamp(timestamp(0)) == timestamp(0) && duration(duration('1s')) == duration('1s')`, true],
    [`duration('-0.5s') + duration('-0.2s') == duration('-0.7s')`, true],
    [`duration('0.5s') - duration('0.7s') == duration('-200ms')`, true],
    [`timestamp(0) - duration('1ms') == timestamp('1969-12-31T23:59:59.999Z')`, true],
    [`duration('1h') + timestamp(0) == timestamp(3600)`, true],
    [`duration('1.5h') == duration('90m') && duration('1m.5s') == duration('60.5s')`, true],
    [`string(duration('-1.5s')) == '-1.5s' && string(duration('100us')) == '0.0001s'`, true],
    [`duration('3723s').getMinutes() == 62 && duration('1.25s').getMilliseconds() == 250`, true],
    [`timestamp('2025-02-29T00:00:00Z') > timestamp(0)`, /^invalid timestamp$/],
    [`timestamp('2026-01-01T24:00:00Z') > timestamp(0)`, /^invalid timestamp$/],
    [`timestamp('2026-01-01T00:60:00Z') > timestamp(0)`, /^invalid timestamp$/],
    [`timestamp('2026-01-01T00:00:60Z') > timestamp(0)`, /^invalid timestamp$/],
    [`timestamp('2026-01-01T00:00:00+24:00') > timestamp(0)`, /^invalid timestamp$/],
    [`timestamp('2026-01-01 00:00:00Z') > timestamp(0)`, /^invalid timestamp$/],
    [`timestamp('2026-01-01') > timestamp(0)`, /^invalid timestamp$/],
    [`timestamp('0000-12-31T23:59:59Z') < timestamp(0)`, /^invalid timestamp$/],
    [`timestamp('9999-12-31T23:59:59Z') + duration('1s') > timestamp(0)`, /^invalid timestamp$/],
    [`timestamp(253402300800) > timestamp(0)`, /^invalid timestamp$/],
    [`duration('${'0'.repeat(98)}1s') == duration('1s')`, true],
    [`duration('${'0'.repeat(99)}1s') == duration('1s')`, /^invalid duration$/],
    [`duration('') > duration('1s')`, /^invalid duration$/],
    [`duration('s') > duration('1s')`, /^invalid duration$/],
    [`duration('1') > duration('1s')`, /^invalid duration$/],
    [`duration('1h 5m') > duration('1s')`, /^invalid duration$/],
    [`duration('1d') > duration('1s')`, /^invalid duration$/],
    [`duration('315576000001s') > duration('1s')`, /^invalid duration$/],
    [`${instant}.getHours('Nowhere/Land') == 1`, /^invalid time zone$/],
    [`${instant}.getHours('') == 1`, /^invalid time zone$/],
    [`${instant}.getHours(data.zone) == 1`, /^no such key: zone$/],
  ];
  for (const [filter, answer] of cases) {
    test(`${filter} is ${String(answer)}`, () => {
      const { matched, error } = evaluated(filter, {});
      if (answer === true) assert.deepEqual([matched, error], [true, undefined]);
      else assert.match(error ?? '', answer as RegExp);
    });
  }

  test('costs what looking up a zone does, once', () => {
    // Names of zones have no case, so that there are any number of them.
    const zones = Array.from({ length: 100 }, (_, index) =>
      'asia/tok'.split('').map((letter, at) => ((index >> at) & 1 ? letter.toUpperCase() : letter)),
    ).map((letters) => `${letters.join('')}yo`);
    const filter = `data.zones.exists(zone, ${instant}.getHours(zone) == 24)`;
    const error = `it takes more than ${FILTER_STEPS_MAX} steps`;
    assert.deepEqual(evaluated(filter, { zones }), { matched: false, error });
    const few = zones.slice(0, 8);
    assert.deepEqual(evaluated(filter, { zones: [...few, ...few] }), { matched: false });
  });
});

describe('conversions in filters', () => {
  const cases: Array<[filter: string, matches: boolean]> = [
    [`int('42') == 42 && int('-7') == -7 && int(4.9) == 4 && int(-4.9) == -4`, true],
    [`double('1.5e3') == 1500.0 && double('-inf') < 0.0 && double('.5') == 0.5`, true],
    [`string(1.5) == '1.5' && string(true) == 'true' && string(7) == '7'`, true],
    [`'ÉA'.lowerAscii() == 'Éa' && 'éaß'.upperAscii() == 'éAß'`, true],
    [`'@AZ[az Łš😀'.lowerAscii() == '@az[az Łš😀'`, true],
    ["'`az{AZ Łš😀'.upperAscii() == '`AZ{AZ Łš😀'", true],
    [`has({'a': {'b': 1}}['a'].b) && !has({'a': 1}.b)`, true],
  ];
  for (const [filter, matches] of cases) {
    test(`${filter} is ${matches}`, () =>
      assert.deepEqual(evaluated(filter, {}), { matched: true }));
  }

  const failing: Array<[filter: string, error: string]> = [
    [`int('0x10') == 16`, 'int conversion error'],
    [`int('9223372036854775808') > 0`, 'int conversion error'],
    [`int('') == 0`, 'int conversion error'],
    ['int(1e99) > 0', 'numeric overflow'],
    [`double('0x10') == 16.0`, 'double conversion error'],
    [`double('1_000') == 1000.0`, 'double conversion error'],
    [`double('') == 0.0`, 'double conversion error'],
    [`string(b'\\xff') == 'x'`, 'string conversion error'],
    ['has([1][0].x)', 'has() looks into maps only'],
    [`has([['x']][0].x)`, 'has() looks into maps only'],
  ];
  for (const [filter, error] of failing) {
    test(`${filter} fails`, () => {
      assert.deepEqual(evaluated(filter, {}), { matched: false, error });
    });
  }
});

function evaluated(filter: string, data: unknown) {
  const event = { id: 'e', source: 's', type: 't', time: '2026-03-01T09:30:00Z', data };
  return compileFilter(filter).evaluate(toFilterInput(event));
}
