import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import * as fc from 'fast-check';

import type { Event } from '../events/event.ts';
import { FilterError, compileFilter, toFilterInput } from '../events/filter.ts';
import { FilterIndex } from '../events/filter-index.ts';
import { shapeFilter } from '../events/filter-shapes.ts';
import { valuesOf } from '../events/filter-terms.ts';

describe('FilterIndex', () => {
  test('gives those events that match, in order, and no others', () => {
    const index = indexOf({ a: `data.kind == 'cat'` });
    const kinds = ['dog', 'cat', 'cow', 'cat', 'hen'];
    const matched = kinds.filter((kind) => index.match(eventOf({ kind })).matched.length > 0);
    assert.deepEqual(matched, ['cat', 'cat']);
  });

  test('gives what matched in the order in which it was added', () => {
    const index = indexOf({
      e: '',
      d: `data.x == 1`,
      c: `event_type == 'paid'`,
      b: 'data.x > 0',
      a: `data.x == 1`,
    });
    assert.deepEqual(index.match(eventOf({ x: 1 })).matched, ['e', 'd', 'c', 'b', 'a']);
    assert.deepEqual(index.match(eventOf({ x: 2 })).matched, ['e', 'c', 'b']);
    assert.deepEqual([...index.values()], ['e', 'd', 'c', 'b', 'a']);
  });

  test('replaces what had the key, at the end of the order', () => {
    const index = indexOf({ a: 'data.x == 1', b: '', c: '' });
    index.add('a', 'data.x == 2', 'new a');
    assert.equal(index.size, 3);
    assert.deepEqual([...index.values()], ['b', 'c', 'new a']);
    assert.deepEqual(index.match(eventOf({ x: 1 })).matched, ['b', 'c']);
    assert.deepEqual(index.match(eventOf({ x: 2 })).matched, ['b', 'c', 'new a']);
  });

  test('is as it was after a filter that it refused', () => {
    const index = indexOf({ a: 'data.x == 1' });
    assert.throws(() => index.add('a', `data.x.endswith('a')`, 'new a'), FilterError);
    assert.throws(() => index.add('b', 'dta.x', 'b'), FilterError);
    assert.equal(index.size, 1);
    assert.deepEqual(index.match(eventOf({ x: 1 })).matched, ['a']);
  });

  test('tells a header that is called 0 from a list index', () => {
    const index = indexOf({ a: 'data.headers[0] == 1', b: `data.headers['0'] == 'x'` });
    const data = { method: 'GET', url: {}, body: {}, headers: { 0: 'x' } };
    assert.deepEqual(index.match(eventOf(data)).matched, ['b']);
  });

  test('removes a key once', () => {
    const index = indexOf({ a: 'data.x == 1', b: 'data.x == 1' });
    assert.equal(index.remove('a'), true);
    assert.equal(index.remove('a'), false);
    assert.equal(index.remove('never'), false);
    assert.equal(index.size, 1);
    assert.deepEqual(index.match(eventOf({ x: 1 })).matched, ['b']);
  });

  test('tells which filters failed and why, and serves the others', () => {
    const index = indexOf({
      missing: 'data.y > 1 || data.z > 1',
      type: `data.x.endsWith('a')`,
      bool: 'data.x',
      fine: 'data.x == 1',
    });
    const { matched, failed } = index.match(eventOf({ x: 1 }));
    assert.deepEqual(matched, ['fine']);
    assert.deepEqual(
      failed.map(({ value }) => value),
      ['missing', 'type', 'bool'],
    );
    for (const { error } of failed) assert.ok(error.length > 0);
  });

  test('serves a hundred thousand with one and the same filter', () => {
    const index = new FilterIndex<number>();
    for (let n = 0; n < 200_000; n++) index.add(`${n}`, 'data.x == 1', n);
    assert.equal(index.match(eventOf({ x: 1 })).matched.length, 200_000);
    assert.equal(index.match(eventOf({ x: 2 })).matched.length, 0);
  });

  test('looks at nothing in an event that only removed filters asked for', () => {
    const index = indexOf({ a: 'data.x == 1', b: 'data.x in [2, 3]', c: `data.y == 'a'` });
    const reads: string[] = [];
    const event = eventOf({
      get x() {
        reads.push('x');
        return 0;
      },
      get y() {
        reads.push('y');
        return 0;
      },
    });
    index.match(event);
    assert.deepEqual(reads.splice(0), ['x', 'y']);
    index.remove('a');
    index.match(event);
    assert.deepEqual(reads.splice(0), ['x', 'y']);
    index.remove('b');
    index.match(event);
    assert.deepEqual(reads.splice(0), ['y']);
    index.remove('c');
    index.match(event);
    assert.deepEqual(reads, []);
  });

  test('keeps nothing of what was removed', () => {
    const index = indexOf({ stays: 'data.x == 1 && data.y == 1' });
    // The first rounds fill what keeps compiled filters, whoever asked for them.
    churn(index, 0, 4_000);
    const before = heapBytes();
    churn(index, 4_000, 24_000);
    const grown = heapBytes() - before;
    assert.equal(index.size, 1);
    assert.ok(grown < 2_000_000, `${grown} bytes more`);
  });
});

describe('the cost of a match', () => {
  const filterings: Array<[what: string, filterOf: (n: number) => string, most: number]> = [
    ['one path', (n) => `data.order.id == '${n}'`, 1],
    ['the type first', (n) => `event_type == 'paid' && data.order.id == '${n}'`, 1],
    ['a common value first', (n) => `data.open == true && data.order.id == '${n}'`, 2],
    ['the literal first', (n) => `event_type == 'paid' && '${n}' == data.order.id`, 1],
    ['a list of literals', (n) => `data.open == true && data.order.id in ['${n}', 'x${n}']`, 2],
    ['a header', (n) => `data.open == true && data.headers['X-Id'] == '${n}'`, 2],
    ['a number', (n) => `data.number == ${n} && event_type == 'paid'`, 1],
    ['an alternative', (n) => `(data.order.id == '${n}' || data.other == '${n}')`, 1],
    ['a prefix', (n) => `data.path.startsWith('/${n}/')`, 1],
    ['several values together', (n) => `data.shared == ${n % 2} && data.half == ${n >> 1}`, 9],
    ['no value at all', (n) => `(data.order.id == '${n}' || false)`, 2_000],
  ];
  for (const [what, filterOf, most] of filterings) {
    test(`is ${most} of 2,000 evaluations by ${what}`, () => {
      const index = new FilterIndex<number>();
      // What the filter reads first counts how many were evaluated.
      for (let n = 0; n < 2_000; n++) index.add(`${n}`, `data.count > 0 && ${filterOf(n)}`, n);
      let evaluations = 0;
      const data = {
        open: true,
        shared: 1,
        half: 388,
        number: 777,
        path: '/777/x',
        order: { id: '777' },
        headers: { 'x-id': '777' },
      };
      const request = { ...data, method: 'POST', url: {}, body: {} };
      const get = (): number => ++evaluations;
      const event = eventOf(Object.defineProperty(request, 'count', { get, enumerable: true }));
      assert.deepEqual(index.match(event).matched, [777]);
      assert.ok(evaluations >= 1 && evaluations <= most, `${evaluations} evaluations`);
    });
  }

  test('does not grow from ten filters to a hundred thousand', () => {
    const few = ordersIndex(10);
    const many = ordersIndex(100_000);
    const ratio = matchTimeOf(many, 100_000) / matchTimeOf(few, 10);
    // A linear search is ten thousand times as long.
    assert.ok(ratio < 20, `${ratio.toFixed(1)} times as long`);
  });
});

describe('what a filter needs', () => {
  const nothing = [''];
  const cases: Array<[text: string, alternatives: readonly string[]]> = [
    [`data.a.b == 'x'`, ['data.a.b = "x"']],
    [`'x' == data['a']["b"]`, ['data.a.b = "x"']],
    [`data.list[0].id == 3`, ['data.list.0.id = 3']],
    ['data.a == 3.0', ['data.a = 3']],
    ['data.a == -3', ['data.a = -3']],
    [`data.a == r'\\d'`, ['data.a = "\\\\d"']],
    ['data.a == null && data.b == false', ['data.a = null & data.b = false']],
    [`data.a in [1, 'a', 1.0]`, ['data.a = 1 "a" 1']],
    ['data.a in []', ['data.a =']],
    [`data.a.startsWith('x') && data.b > 1`, ['data.a ^ "x"']],
    [
      `event_type == 'x' && (event.source == 'y' && data.a > 1)`,
      ['event_type = "x" & event.source = "y"'],
    ],
    ['data.a == 1 || data.b == 2', ['data.a = 1', 'data.b = 2']],
    ['data.a == 1 || data.b == 2 || data.a == 3', ['data.a = 1 3', 'data.b = 2']],
    [
      `(data.a == 1 || data.b == 2) && data.c == 3`,
      ['data.a = 1 & data.c = 3', 'data.b = 2 & data.c = 3'],
    ],
    [
      Array.from({ length: 40 }, (_, n) => `data.a == ${n}`).join('||'),
      [`data.a = ${[...Array(40).keys()].join(' ')}`],
    ],
    [Array.from({ length: 17 }, (_, n) => `data.a${n} == 1`).join('||'), nothing],
    [
      `(${Array.from({ length: 9 }, (_, n) => `data.a${n} == 1`).join('||')}) && (data.x == 1 || data.y == 1)`,
      ['data.x = 1', 'data.y = 1'],
    ],
    ['data.a == 1 || data.b > 1', nothing],
    ['(data.a == 1 || data.b > 1) && data.c == 2', ['data.c = 2']],
    ['data.a == 9007199254740993', nothing],
    ['data.a in [1, 9007199254740993]', nothing],
    ['data.a == data.b', nothing],
    ['data.a in data.b', nothing],
    ['data.a.startsWith(data.b)', nothing],
    ['data.a == [1]', nothing],
    ['data.a in [[1]]', nothing],
    ['!(data.a == 1)', nothing],
    ['data.a == 1 ? true : false', nothing],
    ['data.list.exists(data, data.a == 1)', nothing],
    ['data.a != 1', nothing],
    [`data[data.a] == 1`, nothing],
    ['data.f.map(x, x)[0] == 1', nothing],
    ['1 == 1', nothing],
    ['', nothing],
  ];
  for (const [text, expected] of cases) {
    test(`by ${JSON.stringify(text)} is ${JSON.stringify(expected)}`, () => {
      const { shape, literals } = shapeFilter(text);
      const inWords = shape.alternatives.map((terms) =>
        terms
          .map((term) => {
            const values = valuesOf(term, literals).map((value) => JSON.stringify(value));
            return [term.path.join('.'), term.kind === 'equal' ? '=' : '^', ...values].join(' ');
          })
          .join(' & '),
      );
      assert.deepEqual(inWords, expected);
    });
  }
});

describe('the index finds what evaluating every filter finds', () => {
  test('for random filters and events, added and removed', () => {
    const step = fc.oneof(
      fc.record({ add: fc.nat(12), filter: filters() }),
      fc.record({ remove: fc.nat(12) }),
      fc.record({ match: events() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), events(), (steps, last) => {
        const index = new FilterIndex<string>();
        const plain = new Map<string, string>();
        for (const taken of [...steps, { match: last }]) {
          if ('match' in taken)
            assert.deepEqual(index.match(taken.match).matched, bruteForce(plain, taken.match));
          else if ('remove' in taken) {
            assert.equal(index.remove(`${taken.remove}`), plain.delete(`${taken.remove}`));
          } else {
            plain.delete(`${taken.add}`);
            plain.set(`${taken.add}`, taken.filter);
            index.add(`${taken.add}`, taken.filter, `${taken.add}`);
          }
          assert.equal(index.size, plain.size);
          assert.deepEqual([...index.values()], [...plain.keys()]);
        }
      }),
      { numRuns: 1_500 },
    );
  });

  test('for a hundred filters at once', () => {
    let matches = 0;
    fc.assert(
      fc.property(
        fc.array(filters(), { minLength: 100, maxLength: 100 }),
        fc.array(events(), { minLength: 20, maxLength: 20 }),
        (texts, happened) => {
          const plain = new Map(texts.map((text, n) => [`${n}`, text] as const));
          const index = new FilterIndex<string>();
          for (const [key, text] of plain) index.add(key, text, key);
          for (const event of happened) {
            const expected = bruteForce(plain, event);
            assert.deepEqual(index.match(event).matched, expected);
            matches += expected.length;
          }
          for (const key of plain.keys()) index.remove(key);
          for (const event of happened) assert.deepEqual(index.match(event).matched, []);
        },
      ),
      { numRuns: 40 },
    );
    assert.ok(matches > 1_000, `only ${matches} matches: the test proves little`);
  });
});

function eventOf(data: unknown, type = 'paid'): Event {
  return { id: 'e1', source: 'shop', type, time: '2026-03-01T09:30:00Z', data };
}

function indexOf(filtersByKey: Readonly<Record<string, string>>): FilterIndex<string> {
  const index = new FilterIndex<string>();
  for (const [key, filter] of Object.entries(filtersByKey)) index.add(key, filter, key);
  return index;
}

function ordersIndex(count: number): FilterIndex<number> {
  const index = new FilterIndex<number>();
  for (let n = 0; n < count; n++) index.add(`${n}`, `data.order.id == '${n}'`, n);
  return index;
}

/** The best of several rounds, in milliseconds, over the same events again. */
function matchTimeOf(index: FilterIndex<number>, count: number): number {
  const happened = Array.from({ length: 200 }, (_, n) =>
    eventOf({ order: { id: `${(n * 7919) % count}` } }),
  );
  let best = Infinity;
  for (let round = 0; round < 30; round++) {
    const started = performance.now();
    for (const event of happened) assert.equal(index.match(event).matched.length, 1);
    best = Math.min(best, performance.now() - started);
  }
  return best;
}

function churn(index: FilterIndex<string>, from: number, to: number): void {
  for (let n = from; n < to; n++) {
    index.add('a', `data.x == ${n}`, 'a');
    index.add('b', `data.x in [${n}, 'x${n}', null] && data.y == 1`, 'b');
    index.add('c', `data.p${n}.q == 'a'`, 'c');
  }
  for (const key of ['a', 'b', 'c']) index.remove(key);
}

function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  assert.ok(typeof collect === 'function');
  collect();
  return process.memoryUsage().heapUsed;
}

function bruteForce(filtersByKey: ReadonlyMap<string, string>, event: Event): readonly string[] {
  const input = toFilterInput(event);
  return [...filtersByKey].flatMap(([key, text]) =>
    compileFilter(text).evaluate(input).matched ? [key] : [],
  );
}

/** Few paths and few values, so that filters and events meet. */
const PATHS = [
  'event_type',
  'event.source',
  'event.subject',
  'data.a',
  `data['a']`,
  'data.b',
  'data.b.c',
  'data.b.c.d',
  'data.list[0]',
  'data.list[1].a',
  'data.list[1]["a"]',
  'data.headers["X-A"]',
  'data.headers["x-a"]',
  'data.headers.a',
  'data.constructor',
  'data.b.constructor',
  'data["0"]',
  'data[0]',
];
const LITERALS = [
  '1',
  '1.0',
  '-1',
  '0',
  '-0.0',
  '2',
  `'1'`,
  `'a'`,
  `'b'`,
  `"paid"`,
  'null',
  'true',
  'false',
  '9007199254740993',
  '1u',
  '[1]',
  `{'a': 1}`,
];

function filters(): fc.Arbitrary<string> {
  const path = fc.constantFrom(...PATHS);
  const literal = fc.constantFrom(...LITERALS);
  const equality = fc.oneof(
    fc.tuple(path, literal).map(([p, v]) => `${p} == ${v}`),
    fc.tuple(path, literal).map(([p, v]) => `${v} == ${p}`),
    fc.tuple(path, fc.array(literal, { maxLength: 3 })).map(([p, v]) => `${p} in [${v.join()}]`),
  );
  const other = fc.oneof(
    path.map((p) => `${p} != 1`),
    fc.tuple(path, path).map(([p, q]) => `${p} == ${q}`),
    fc.constantFrom(
      'true',
      'has(data.a)',
      'has(data.b.c)',
      'data.a > 0',
      `data.list.exists(a, a == 1)`,
    ),
  );
  const prefix = fc
    .tuple(path, fc.constantFrom('', 'a', 'p', 'pa', 'paid', 'paid!'))
    .map(([p, v]) => `${p}.startsWith('${v}')`);
  const { condition } = fc.letrec<{ condition: string; inner: string }>((tie) => ({
    inner: fc.oneof({ maxDepth: 2 }, equality, equality, prefix, other, tie('condition')),
    condition: fc.oneof(
      { maxDepth: 2, withCrossShrink: true },
      equality,
      fc.tuple(tie('inner'), tie('inner')).map(([p, q]) => `${p} && ${q}`),
      fc.tuple(tie('inner'), tie('inner')).map(([p, q]) => `(${p} && ${q})`),
      fc.tuple(tie('inner'), tie('inner')).map(([p, q]) => `(${p} || ${q})`),
      fc.tuple(equality, prefix, equality).map(([p, q, r]) => `(${p} || ${q}) && ${r}`),
      fc.tuple(equality, equality).map(([p, q]) => `${p} || ${q}`),
      tie('inner').map((p) => `!(${p})`),
      fc.tuple(equality, tie('inner')).map(([p, q]) => `(${p} ? ${q} : ${p})`),
    ),
  }));
  const anything = fc.oneof(
    { weight: 12, arbitrary: condition },
    { weight: 1, arbitrary: fc.constant('') },
  );
  return anything.filter(isCompiled);
}

/** The type checker refuses some combinations, such as `event_type == 1`. */
function isCompiled(text: string): boolean {
  try {
    compileFilter(text);
    return true;
  } catch (error) {
    assert.ok(error instanceof FilterError, String(error));
    return false;
  }
}

function events(): fc.Arbitrary<Event> {
  const scalar = fc.constantFrom(
    1,
    -1,
    0,
    -0,
    2,
    '1',
    'a',
    'b',
    'paid',
    null,
    true,
    false,
    9007199254740992,
  );
  const map = fc.dictionary(fc.constantFrom('c', 'd', 'a', 'constructor', '0'), scalar, {
    maxKeys: 2,
  });
  const value = fc.oneof(
    scalar,
    map,
    fc.record({ c: fc.oneof(scalar, map) }),
    fc.array(scalar, { maxLength: 2 }),
  );
  const data = fc.oneof(
    { weight: 1, arbitrary: fc.oneof(scalar, fc.array(scalar)) },
    {
      weight: 20,
      arbitrary: fc.record(
        {
          a: value,
          b: value,
          list: fc.oneof(fc.array(fc.oneof(scalar, map), { maxLength: 3 }), value),
          headers: fc.dictionary(fc.constantFrom('X-A', 'x-a', 'a', 'A'), scalar),
          0: scalar,
          constructor: scalar,
          method: scalar,
          url: scalar,
          body: scalar,
        },
        { requiredKeys: [] },
      ),
    },
  );
  const type = fc.constantFrom('paid', 'a', 'b');
  return fc
    .record({ data, type, subject: fc.constantFrom('a', 'b', undefined) })
    .map(({ data: held, type: name, subject }) => {
      const event = eventOf(held, name);
      return subject === undefined ? event : { ...event, subject };
    });
}
