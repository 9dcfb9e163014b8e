import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import * as fc from 'fast-check';

import {
  UNINDEXED_COST_MAX,
  UnindexedFilterQuotaError,
  describeAccess,
} from '../events/filter-access.ts';
import { EVENT_STEPS_MAX, STEPS_IN_ANY_CASE, Steps } from '../events/filter-budget.ts';
import { FilterIndex } from '../events/filter-index.ts';
import { shapeFilter } from '../events/filter-shapes.ts';
import { FILTER_LENGTH_MAX, FilterError, compileFilter, toFilterInput } from '../events/filter.ts';
import type { Event } from '../events/event.ts';

/** How long the event loop may be kept from everything else. */
const BLOCKED_MS_MAX = 100;

describe('filters of one shape', () => {
  const pairs: Array<[one: string, other: string, isOne: boolean]> = [
    [`data.a == 'x'`, `data.a == "y z"`, true],
    ['data.a == 1', 'data.a == 999999999999999', true],
    ['data.a == 1', 'data.a == 007', true],
    ['data.a > 1.5', 'data.a > 2.25', true],
    [`data.a in ['x', 'y']`, `data.a in ['a', 'b']`, true],
    [`data.a.startsWith('x')`, `data.a.startsWith('y')`, true],
    [`data.a.exists(x, x == 'a')`, `data.a.exists(x, x == 'b')`, true],
    [`data.a.map(x, 'a') == ['a']`, `data.a.map(x, 'b') == ['b']`, true],
    [`data['k'] == 'x'`, `data['k'] == 'y'`, true],
    ['data.a == 1', 'data.a == 1.0', false],
    ['data.a == 1', `data.a == '1'`, false],
    ['data.a == 1', 'data.a == 1u', false],
    ['data.a == 1', 'data.a == 9223372036854775807', false],
    ['data.a == 1', 'data.a == 0x1', false],
    ['data.a == -1', 'data.a == -2', false],
    [`data.a == 'x'`, `data.a == r'y'`, false],
    [`data.a == 'x'`, `data.a == '''y'''`, false],
    [`data.a == 'x'`, String.raw`data.a == '\n'`, false],
    [`data.a == 'x' // 'y'`, `data.a == 'x' // 'z'`, false],
    [`data.a.matches('x')`, `data.a.matches('y')`, false],
    [`data['k'] == 'x'`, `data['l'] == 'x'`, false],
    ['data[0] == 1', 'data[1] == 1', false],
    [`data.a == {'x': 1}`, `data.a == {'y': 1}`, false],
    [`duration('1s') == data.d`, `duration('2s') == data.d`, false],
    [`data.a in ['x']`, `data.a in ['x', 'y']`, false],
  ];
  for (const [one, other, isOne] of pairs) {
    test(`are${isOne ? '' : ' not'} ${one} and ${other}`, () => {
      assert.equal(shapeFilter(one).shape === shapeFilter(other).shape, isOne);
      assert.equal(shapeFilter(other).text, other);
    });
  }

  test('are refused as any other, whether their shape is known or not', () => {
    shapeFilter(`data.a == 'x'`);
    const long = `data.a == '${'x'.repeat(FILTER_LENGTH_MAX)}'`;
    for (const text of [long, `data.a == \u0001string`, `data.a == 'x`, `data.a.matches('(')`]) {
      assert.notEqual(refusalOf(text, compileFilter), undefined);
      assert.equal(refusalOf(text, shapeFilter), refusalOf(text, compileFilter));
    }
  });

  test('are evaluated after their program was given up', () => {
    const filters = [1, 2, 3].map((n) => shapeFilter(`data.again == ${n}`));
    const input = toFilterInput(eventOf({ again: 2 }));
    for (let n = 0; n < 5_000; n++) shapeFilter(`data.other${n} == 1`);
    const outcomes = filters.map((filter) => filter.shape.evaluate(filter, input, new Steps()));
    assert.deepEqual(
      outcomes.map(({ matched }) => matched),
      [false, true, false],
    );
  });

  test('give what each gives with a program of its own, errors included', () => {
    let shared = 0;
    const first = new Map<unknown, string>();
    const several = fc.array(similarFilters(), { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(several, eventData(), (texts, data) => {
        const input = toFilterInput(eventOf(data));
        const filters = texts.map(shapeFilter);
        for (const { shape, text } of filters) {
          if ((first.get(shape) ?? text) !== text) shared++;
          first.set(shape, first.get(shape) ?? text);
        }
        // In both directions: what one leaves behind must not be seen by the next.
        for (const filter of [...filters, ...filters.toReversed()]) {
          const outcome = filter.shape.evaluate(filter, input, new Steps());
          assert.deepEqual(outcome, compileFilter(filter.text).evaluate(input), filter.text);
        }
      }),
      { numRuns: 300 },
    );
    assert.ok(shared > 500, `only ${shared} shared a program`);
  });

  test('are found only in texts that are filters', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...TOKENS), { maxLength: 14 }), (tokens) => {
        const text = tokens.join('');
        assert.equal(refusalOf(text, shapeFilter), refusalOf(text, compileFilter), text);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('how events find a filter', () => {
  const cases: Array<[text: string, paths: readonly string[] | undefined, cost: number]> = [
    [`event_type == 'a' && data.b['x-y'][0] == 1`, ['event_type', 'data.b["x-y"][0]'], 0],
    ['data.a == 1 || data.b == 2', ['data.a', 'data.b'], 0],
    ['', [], 0],
    [' \n', [], 0],
    ['data.a > 1', undefined, 1],
    [`!(data.a == 'x')`, undefined, 1],
    [`data.a == 'x' || data.b > 1`, undefined, 1],
    ['data.a.exists(x, x == 1)', undefined, 10],
    [`data.a.matches('x')`, undefined, 10],
  ];
  for (const [text, paths, cost] of cases) {
    test(`${JSON.stringify(text)}: by ${paths?.join(' and ') ?? 'evaluating it'}`, () => {
      const isIndexed = paths !== undefined;
      assert.deepEqual(describeAccess(text), { isIndexed, paths: paths ?? [], cost });
    });
  }

  test('is no question for what is no filter', () => {
    assert.throws(() => describeAccess('dta == 1'), FilterError);
  });

  test('is told to whoever finds no room for another', () => {
    const error = new UnindexedFilterQuotaError('github');
    assert.equal(error.name, 'UnindexedFilterQuotaError');
    assert.match(error.message, /source "github" .* path == 'value'/);
  });
});

describe('an event', () => {
  const list = Array.from({ length: 1_000 }, (_, n) => n);
  const text = 'a'.repeat(900_000);
  const level = 'data.list.all(x, ';

  test('never meets four times all', () => {
    const four = `${level.repeat(4)}true))))`;
    assert.throws(() => compileFilter(four), /nested too deeply/);
  });

  test('never meets five thousand parts, which are refused at once', () => {
    const parts = Array(5_000).fill('true').join('&&');
    const blocked = bestOf(() => assert.throws(() => compileFilter(parts), FilterError));
    assert.ok(blocked < BLOCKED_MS_MAX, `${blocked} ms`);
  });

  const long = Array.from({ length: 200_000 }, (_, n) => n);
  const hostile: Array<[what: string, filters: readonly string[], data: unknown]> = [
    [
      '(a+)+$ on text made for it',
      [`data.text.matches('(a+)+$')`, `data.tail.matches('(a+)+$')`],
      { text, tail: `${text}!` },
    ],
    [
      'two comprehensions in each of a hundred filters',
      variants(100, (n) => `${level}data.list.all(y, x + ${n}.5 > y))`),
      { list },
    ],
    [
      'comprehensions in which each step fails',
      variants(100, (n) => `data.list.exists(x, data.list.exists(y, x.a == ${n}))`),
      { list },
    ],
    [
      'large values compared a hundred times',
      [Array(100).fill('data.one == data.other').join('||')],
      { one: [...long, 1], other: [...long, 2] },
    ],
    [
      'a long text measured a hundred times',
      [Array(100).fill('size(data.text) == 1').join('||')],
      { text },
    ],
    [
      'a long list searched a hundred times',
      [Array(100).fill('0.5 in data.long').join('||')],
      { long },
    ],
    [
      'a long text that would be a duration',
      [Array(3).fill(`duration(data.text) > duration('0s')`).join('||')],
      { text: `${'1'.repeat(900_000)}s` },
    ],
    [
      'a long text of many durations',
      variants(3, (n) => `duration(data.text) < duration('${n}s')`),
      { text: '1h'.repeat(450_000) },
    ],
    [
      'a long text of small and capital letters',
      ['lowerAscii', 'upperAscii', 'lowerAscii'].map((name) => `data.text.${name}() < 'A'`),
      { text: 'aB'.repeat(500_000) },
    ],
    [
      '250 levels of data',
      ['data.a[0].a[0] == 1', 'data == data.a', 'size(data.a) > 0'],
      JSON.parse(`${'{"a":['.repeat(125)}1${']}'.repeat(125)}`),
    ],
    [
      'as many filters without an index as there may be',
      variants(UNINDEXED_COST_MAX, (n) => `data.x > ${n} || data.y.z < ${n}`),
      { x: 1, y: { z: 1 } },
    ],
  ];
  for (const [what, filters, data] of hostile) {
    test(`does not block the others: ${what}`, () => {
      const index = new FilterIndex<string>();
      for (const filter of filters) index.add(filter, filter, filter);
      const blocked = bestOf(() => index.match(eventOf(data)));
      assert.ok(blocked < BLOCKED_MS_MAX, `${blocked} ms`);
    });
  }

  test('of which some filters take all the steps has some for each', () => {
    const index = new FilterIndex<string>();
    for (let n = 0; n < 5; n++) {
      index.add(`hungry ${n}`, `${level}data.list.all(y, x + ${n}.5 > y - 9000.5))`, 'hungry');
    }
    index.add('modest', 'data.few.exists(x, x == 3)', 'modest');
    const { matched, failed } = index.match(eventOf({ list, few: [1, 2, 3] }));
    assert.deepEqual(matched, ['modest']);
    assert.equal(failed.length, 5);
    const words = `more than ${STEPS_IN_ANY_CASE} steps, of ${EVENT_STEPS_MAX} for all`;
    assert.match(failed.at(-1)?.error ?? '', new RegExp(words));
  });
});

function eventOf(data: unknown): Event {
  return { id: 'e1', source: 'shop', type: 'paid', time: '2026-03-01T09:30:00Z', data };
}

function variants(count: number, filterOf: (n: number) => string): readonly string[] {
  return Array.from({ length: count }, (_, n) => filterOf(n));
}

/** The shortest of several times, in milliseconds: the others say how busy the machine is. */
/** In milliseconds of the processor's time: a busy machine adds none. */
function bestOf(run: () => unknown): number {
  let best = Infinity;
  for (let round = 0; round < 5; round++) {
    const began = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(began);
    best = Math.min(best, (user + system) / 1_000);
  }
  return best;
}

function refusalOf(text: string, compile: (text: string) => unknown): string | undefined {
  try {
    compile(text);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof FilterError, String(error));
    return error.message;
  }
}

const TOKENS = [
  'data',
  '.a',
  ' == ',
  `'x'`,
  '"y"',
  `''`,
  '1',
  '2.5',
  '-',
  ' in ',
  '[',
  ']',
  '(',
  ')',
  ',',
  'r',
  'b',
  '//',
  '\n',
  ' && ',
  ' || ',
  '.startsWith(',
  '.exists(x, x == ',
  '.matches(',
  'size(',
  '{',
  '}',
  ': ',
  '!',
  `'`,
  '"',
  '\\',
  'e5',
  '0x1',
  'u',
];

function similarFilters(): fc.Arbitrary<string> {
  const literal = fc.constantFrom(
    `'a'`,
    `"b"`,
    `''`,
    `'//'`,
    `'it is'`,
    '0',
    '1',
    '2',
    '1.0',
    '2.5',
    '17',
    '-1',
    '9007199254740993',
    '1u',
    'null',
    'true',
  );
  const text = fc.constantFrom(`'a'`, `"b"`, `'ab'`, `''`);
  const path = fc.constantFrom(
    'data.a',
    'data.b',
    'data.list',
    `data['a']`,
    'data.list[0]',
    'event_type',
  );
  const method = fc.constantFrom('startsWith', 'endsWith', 'contains', 'matches');
  const simple = fc.oneof(
    fc
      .tuple(path, fc.constantFrom('==', '!=', '<', '>=', '+ 1 =='), literal)
      .map(([p, o, l]) => `${p} ${o} ${l}`),
    fc.tuple(path, fc.array(literal, { maxLength: 3 })).map(([p, l]) => `${p} in [${l.join()}]`),
    fc.tuple(path, method, text).map(([p, m, l]) => `${p}.${m}(${l})`),
    fc.tuple(literal, literal).map(([l, m]) => `data.list.exists(x, x == ${l} || x == ${m})`),
    fc.tuple(literal, literal).map(([l, m]) => `data.list.map(x, ${l}) == [${m}]`),
    fc.tuple(literal, literal).map(([l, m]) => `data.list.filter(x, x != ${l}) == [${m}]`),
    fc
      .tuple(literal, literal)
      .map(([l, m]) => `data.list.map(x, x == ${l}, ${m}).exists_one(x, x == ${m})`),
    fc.tuple(path, literal, literal).map(([p, l, m]) => `${p} == {'k': ${l}, 'l': ${m}}`),
    fc.tuple(path, literal, literal).map(([p, l, m]) => `(${p} == ${l} ? ${m} : ${l}) == ${m}`),
    literal.map((l) => `cel.bind(x, ${l}, x == data.a)`),
    text.map((l) => `has(data.a) && data[${l}] == 1`),
  );
  const joined = fc
    .tuple(simple, fc.constantFrom('&&', '||'), simple)
    .map(([p, o, q]) => `${p} ${o} ${q}`);
  return fc
    .oneof(simple, joined)
    .filter((filter) => refusalOf(filter, compileFilter) === undefined);
}

function eventData(): fc.Arbitrary<unknown> {
  const value = fc.constantFrom<unknown>(
    'a',
    'b',
    'ab',
    '',
    0,
    1,
    2,
    2.5,
    17,
    -1,
    null,
    true,
    9007199254740992,
  );
  const list = fc.array(value, { maxLength: 3 });
  return fc.record(
    {
      a: fc.oneof(value, list),
      b: fc.oneof(value, fc.constant({ k: 1, l: 'a' })),
      list: fc.oneof(list, value),
    },
    { requiredKeys: [] },
  );
}
