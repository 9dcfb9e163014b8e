import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { FILTER_STEPS_MAX } from '../events/filter-budget.ts';
import { COMPREHENSION_NESTING_MAX } from '../events/filter-check.ts';
import type { Event } from '../events/event.ts';
import { FilterError, compileFilter, toFilterInput } from '../events/filter.ts';
import type { FilterOutcome } from '../events/filter.ts';

/** Far more than any evaluation takes here, and far less than one without a bound does. */
const STALL_MS = 3_000;

const request = {
  method: 'GET',
  url: { path: '/hooks/meow' },
  headers: { 'content-type': 'application/json', 'x-kind': 'cat' },
  body: { text: 'abc', json: { x: 1 }, form: null, bytes: Buffer.from('abc') },
  collection_value: [1, 2, 3],
  string_value: 'a string',
  list_value: [{ bar: 'bar value of first element in foo list' }],
  dictionary_value: { key: 'other' },
  name: 'Alice',
  missing: null,
};

describe('filters in the words of their users', () => {
  const cases: Array<[text: string, type: string, matches: boolean]> = [
    [`event_type == 'issue_created' || event_type == 'issue_updated'`, 'issue_updated', true],
    [`event_type == 'issue_created' || event_type == 'issue_updated'`, 'page_updated', false],
    [`event_type.startsWith('issue_')`, 'issue_created', true],
    [`event_type.startsWith('issue_')`, 'page_created', false],
    [`event_type.endsWith('_created')`, 'page_created', true],
    [`event_type.endsWith('_created')`, 'page_updated', false],
    [`event_type.contains('substring')`, 'a substring of it', true],
    [`event_type.contains('substring')`, 'sub', false],
    [`event_type.matches('^(issue|page)_[a-z]+$')`, 'page_created', true],
    [`event_type.matches('^(issue|page)_[a-z]+$')`, 'get', false],
    [`data.method in ['GET', 'HEAD'] && data.url.path.endsWith('/meow')`, 'get', true],
    [`data.method in ['POST', 'HEAD'] && data.url.path.endsWith('/meow')`, 'get', false],
    [`data.method == 'POST' && data.url.path.endsWith('/meow')`, 'get', false],
    [`size(data.collection_value) < 5 || size(data.string_value) > 10`, 'get', true],
    [`size(data.collection_value) > 5 || size(data.string_value) > 10`, 'get', false],
    [`data.list_value[0].bar == 'bar value of first element in foo list'`, 'get', true],
    [`data.list_value[0].bar == 'bar value of another'`, 'get', false],
    [`data.dictionary_value['key'] != 'value'`, 'get', true],
    [`data.dictionary_value['key'] != 'other'`, 'get', false],
    ['', 'anything', true],
    [' \n\t', 'anything', true],
    [`data.name == 'Alice'`, 'get', true],
    [`data.name == 'Bob'`, 'get', false],
    [`has(data.name) && data.name == 'Alice'`, 'get', true],
    [`has(data.surname) && data.surname == 'Alice'`, 'get', false],
    [`event.source == 'shop' && event.id == 'e1' && event.type == event_type`, 'get', true],
    [`timestamp(event.time) > timestamp('2026-01-01T00:00:00Z')`, 'get', true],
    ['event.subject == "order/1"', 'get', true],
    ['has(data.list_value[0].bar) && !has(data.list_value[0].foo)', 'get', true],
    [`data.list_value.exists(v, has(v['bar'].x) || has(data.list_value[0].bar))`, 'get', true],
    ['data.missing == null && has(data.missing)', 'get', true],
    [`1 in [1, 'a', null] && 'a' in [1, 'a', null]`, 'get', true],
    ['[1, 2].map(x, x * 2) + [6] == [2, 4, 6]', 'get', true],
    ['data.collection_value.filter(x, x > 1.0).exists_one(x, x == 2)', 'get', true],
    ['cel.bind(event, data.list_value[0], event.bar.startsWith("bar"))', 'get', true],
    ['data.list_value.exists(event, event.bar.startsWith("bar"))', 'get', true],
    [`matches(event_type, 'g.t') && 'x'.matches('X') == false`, 'get', true],
    [`event_type.matches('(?i)^GET$')`, 'get', true],
    [`data.list_value.exists(v, v.bar.matches('^bar'))`, 'get', true],
    ['[].all(x, x > 0) && ![].exists(x, x > 0) && [[]].all(x, x.all(y, y > 0))', 'get', true],
    [`has(data['list_value'][0].bar) && !has({'a': 1}.b)`, 'get', true],
  ];
  for (const [text, type, matches] of cases) {
    test(`${JSON.stringify(text)} ${matches ? 'matches' : 'does not match'} ${type}`, () => {
      assert.deepEqual(evaluated(text, request, type), { matched: matches });
    });
  }
});

describe('a filter that fails on an event', () => {
  const cases: Array<[text: string, error: RegExp]> = [
    ['data.nothing == 1', /^no such key: nothing$/],
    ['data.nothing.at.all == 1', /^no such key: nothing$/],
    ['data.name > 3', /^no such overload: string > int$/],
    ['data.name + data.url == data.name', /^no such overload: string \+ map/],
    ['data.name.bar', /^no such key: bar$/],
    ['data.collection_value[7] == 1', /^index out of bounds$/],
    ['data.name', /^it is of type string, not bool$/],
    ['data.url', /^it is of type map, not bool$/],
    ['data.collection_value', /^it is of type list, not bool$/],
    ['data.missing', /^it is of type null, not bool$/],
    ['data.name && true', /^logical operator requires bool operands, got 'string'$/],
    ['int(data.name) == 1', /^int conversion error$/],
    [`data.dictionary_value[data.name] == 'x'`, /^no such key$/],
    [`'x'.matches(data.string_value + '(')`, /^invalid regular expression$/],
    ['data.constructor == 1', /^no such key: constructor$/],
    ['data.__proto__ == 1', /^no such key: __proto__$/],
    ['data.list_value.length == 1', /^no such key: length$/],
    [`data.url['toString'] == 1`, /^no such key: toString$/],
    [`data.headers.get == 'a'`, /^no such key: get$/],
  ];
  for (const [text, error] of cases) {
    test(`${text} does not match, and says why`, () => {
      const outcome = evaluated(text, request);
      assert.equal(outcome.matched, false);
      assert.match(outcome.error ?? '', error);
    });
  }

  test('tells nothing of what the event holds', () => {
    const secret = 's3cr3t';
    const held = { a: secret, constructor: { name: secret }, map: { x: 1 } };
    const filters = [
      'int(data.a) == 1',
      'double(data.a) == 1.0',
      'bool(data.a)',
      'duration(data.a) > duration("1s")',
      'timestamp(data.a) > timestamp("2026-01-01T00:00:00Z")',
      `'x'.matches(data.a + '(')`,
      'data.map[data.a] == 1',
      'data.a',
      'data.constructor',
      'data.a == 1 && data.a',
    ];
    for (const text of filters) {
      const { matched, error } = evaluated(text, held);
      assert.equal(matched, false, text);
      assert.ok(!(error ?? '').includes(secret), `${text}: ${error}`);
    }
  });

  test('is absorbed where the other side of && or || decides', () => {
    assert.deepEqual(evaluated('data.nothing == 1 || true', {}), { matched: true });
    assert.deepEqual(evaluated('true || data.nothing == 1', {}), { matched: true });
    assert.deepEqual(evaluated('data.nothing == 1 && false', {}), { matched: false });
    assert.notEqual(evaluated('data.nothing == 1 && true', {}).error, undefined);
  });

  test('does not match data that is no map at all', () => {
    for (const data of [null, undefined, 'text', 3, true, [1]]) {
      assert.equal(evaluated('data.a == 1', data).matched, false);
      assert.equal(evaluated('data == data', data).matched, true);
    }
  });
});

describe('a filter that cannot be right', () => {
  const cases: Array<[text: string, at: [line: number, column: number], message: RegExp]> = [
    ['dta.x == 1', [1, 1], /unknown variable: dta; did you mean data\?/],
    [`Data.x == 1`, [1, 1], /did you mean data\?/],
    [`event_typ == 'x'`, [1, 1], /did you mean event_type\?/],
    [`type == 'x'`, [1, 1], /did you mean event_type\?/],
    [`method == 'GET'`, [1, 1], /did you mean data\.method\?/],
    ['a == 1 && wholly_unknown == 2', [1, 1], /unknown variable: a$/],
    [`data.url.path.endswith('/meow')`, [1, 15], /method endswith; did you mean endsWith\?/],
    [`event_type.startswith('a')`, [1, 12], /did you mean startsWith\?/],
    [`event_type.StartWith('a')`, [1, 12], /did you mean startsWith\?/],
    [`data.a\n  && data.b.includes('x')`, [2, 13], /did you mean contains\?/],
    [`startsWith(event_type, 'a')`, [1, 1], /is a method, not a function; write value\.startsWith/],
    [`data.x.int() == 1`, [1, 8], /is a function, not a method; write int\(value\)/],
    ['len(data.x) == 1', [1, 1], /unknown function len; did you mean size\?/],
    [`data.a == 1 and data.b == 2`, [1, 13], /unexpected "and"; did you mean &&\?/],
    [`data.a == 1 or data.b == 2`, [1, 13], /did you mean \|\|\?/],
    ['not data.a', [1, 5], /did you mean !\?/],
    [`data.a = 1`, [1, 8], /unexpected "="; did you mean ==\?/],
    [`data.a === 1`, [1, 10], /did you mean ==\?/],
    [`data.a !== 1`, [1, 10], /did you mean !=\?/],
    [`data.a & data.b`, [1, 8], /did you mean &&\?/],
    ['data.a == “x”', [1, 11], /quote text with/],
    ['data.`a-b` == 1', [1, 6], /write \['name'\] for such a name/],
    ['data.a > .99', [1, 10], /unexpected token: '\.'; write 0\.99/],
    [`data.a == 'x`, [1, 11], /unterminated string/],
    ['data.a ==', [1, 10], /the end of the filter/],
    ['(data.a', [1, 8], /expected '\)', got the end of the filter/],
    ['data.a ? 1', [1, 11], /expected ':'/],
    [`event.sorce == 'x'`, [1, 7], /no attribute sorce; did you mean source\?/],
    ['event.data.x == 1', [1, 7], /did you mean data\?/],
    ['event_type == 3', [1, 1], /no such overload: string == int/],
    [`1 + 'a' == 2`, [1, 1], /no such overload: int \+ string/],
    ['size(1) == 1', [1, 1], /no matching overload for 'size\(int\)'/],
    [`true && 'x'`, [1, 1], /requires bool operands/],
    [`'push'`, [1, 1], /of type string, not bool/],
    ['size(data.x)', [1, 1], /of type int, not bool/],
    ['data.x.map(y, y)', [1, 1], /of type list.*, not bool/],
    [`data.x.matches('(')`, [1, 16], /invalid regular expression, missing closing \)/],
    [`data.x.matches('a(?=b)')`, [1, 16], /invalid regular expression/],
    [`data.x.matches('(.)\\\\1')`, [1, 16], /invalid regular expression/],
    [`data.x.exists(y, y.matches('('))`, [1, 28], /invalid regular expression/],
    ['if == 1', [1, 1], /reserved/],
    ['data.x.exists(1, true)', [1, 15], /iteration variable/],
    ["has(data['x'])", [1, 5], /write has\(path\.name\)/],
    ['data.x.constructor()', [1, 8], /unknown method constructor/],
    ['bounded_whole(data) == 1', [1, 1], /unknown function/],
    [`data.x.bounded_matches('a')`, [1, 8], /unknown method/],
  ];
  for (const [text, [line, column], message] of cases) {
    test(`${JSON.stringify(text)} is refused at ${line}:${column}`, () => {
      const error = refusalOf(text);
      assert.match(error.message, message);
      assert.deepEqual(error.position, { line, column });
      assert.ok(error.message.includes(`line ${line}, column ${column}`));
      assert.equal(error.name, 'FilterError');
    });
  }

  const level = 'data.x.exists(y, ';
  const hostile: Array<[what: string, text: string, message: RegExp]> = [
    ['ten thousand characters', 'x'.repeat(10_000), /10000 characters, at most 4096/],
    ['ten million characters', ' '.repeat(10_000_000), /at most 4096/],
    ['five thousand parts', Array(5_000).fill('true').join('&&'), /at most 4096/],
    ['parts up to the length', Array(800).fill('1<2').join('&&'), /too many parts, at most 1000/],
    ['deep parentheses', '('.repeat(250) + 'true' + ')'.repeat(250), /nested too deeply/],
    ['deep lists', '['.repeat(2_000) + ']'.repeat(2_000), /nested too deeply/],
    ['a long path', `data${'.a'.repeat(250)} == 1`, /nested too deeply/],
    ['many negations', `${'!'.repeat(4_000)}true`, /too many parts/],
    ['many signs', `${'-'.repeat(4_000)}1 == 1`, /too many parts/],
    ['opened and never closed', '('.repeat(4_096), /nested too deeply/],
    ['many conditions', 'true ? true : '.repeat(290) + 'true', /nested too deeply/],
    ['three comprehensions deep', level.repeat(3) + 'true' + ')'.repeat(3), /exists is nested/],
    ['comprehensions below cel.bind', `cel.bind(a, 1, ${level.repeat(3)}true))))`, /is nested/],
    ['a huge expression', `data.x.matches('(a{900}){900}')`, /invalid regular expression/],
    ['a large expression', `data.x.matches('(a?){500}')`, /instructions, at most 1000/],
    ['a long expression', `data.x.matches('${'a'.repeat(1_001)}')`, /at most 1000/],
    ['half a character', '\uD83D', /unexpected/],
    ['a character of no width', 'data.a == 1\u200B', /unexpected/],
    ['nothing at all', '\0', /unexpected/],
  ];
  for (const [what, text, message] of hostile) {
    test(`${what}: refused, and by nothing but a FilterError`, () => {
      assert.match(refusalOf(text).message, message);
    });
  }

  test('two comprehensions, one within the other, are accepted', () => {
    assert.equal(COMPREHENSION_NESTING_MAX, 2);
    compileFilter(`${level.repeat(2)}true))`);
    compileFilter('data.x.map(a, a).filter(a, true).map(a, a).exists(a, true)');
  });

  test('is refused again the next time', () => {
    assert.match(refusalOf('dta.x == 1').message, /dta/);
    assert.match(refusalOf('dta.x == 1').message, /dta/);
  });

  test('of random text never throws anything but a FilterError', () => {
    const words = `data . x == ( ) [ ] { } 'a' "b 1 2.5 && || ! ? : , in has size matches exists x event_type - + true null cel bind // \n \\`;
    const tokens = words.split(' ');
    let seed = 1;
    const next = (bound: number): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % bound;
    };
    for (let round = 0; round < 5_000; round++) {
      const text = Array.from({ length: 1 + next(12) }, () => tokens[next(tokens.length)]).join(
        ' ',
      );
      let filter;
      try {
        filter = compileFilter(text);
      } catch (error) {
        assert.ok(error instanceof FilterError, text);
        continue;
      }
      assert.equal(typeof filter.evaluate(toFilterInput(eventOf(request))).matched, 'boolean');
    }
  });
});

describe('header names', () => {
  const cases: Array<[text: string, matches: boolean]> = [
    [`data.headers["Content-Type"] == 'application/json'`, true],
    [`data.headers['content-type'] == 'application/json'`, true],
    [`data.headers['CONTENT-TYPE'] == 'text/plain'`, false],
    [`'Content-Type' in data.headers`, true],
    [`'Content-Length' in data.headers`, false],
    ['has(data.headers.Foo)', false],
    [`has(data.headers.Foo) && data.headers.Foo == 'x'`, false],
    [`data.headers['X-Kind'].startsWith('c')`, true],
    ['size(data.headers) == 2', true],
    [`data.headers.exists(name, name == 'x-kind' && data.headers[name] == 'cat')`, true],
    [`data.headers == {'content-type': 'application/json', 'x-kind': 'cat'}`, true],
  ];
  for (const [text, matches] of cases) {
    test(`${text} is ${matches}`, () => {
      assert.deepEqual(evaluated(text, request), { matched: matches });
    });
  }

  test('have no case either where a source kept it', () => {
    const headers = { 'X-Kind': 'cat' };
    assert.equal(
      evaluated(`data.headers['x-kind'] == 'cat'`, { ...request, headers }).matched,
      true,
    );
  });

  test('are ordinary keys in data that is no webhook request', () => {
    const data = { headers: { Foo: 'a', foo: 'b' } };
    assert.equal(evaluated(`data.headers.Foo == 'a'`, data).matched, true);
    assert.equal(evaluated(`data.headers.foo == 'b'`, data).matched, true);
    assert.equal(evaluated(`data.headers.FOO == 'a'`, data).matched, false);
  });
});

describe('a body that is decoded when it is read', () => {
  const cases: Array<[text: string, reads: readonly string[]]> = [
    ['data.body.json.x == 1', ['json']],
    [`data.body.form.a == 'b'`, ['form']],
    ['size(data.body.bytes) > 3', ['bytes']],
    [`data.method == 'POST' && data.headers['A'] == 'b'`, []],
    [`data.method == 'PUT' && data.body.json.x == 1`, []],
    ['data.body.json.y == 1', ['json']],
    [`data.headers['missing'] == 'b'`, []],
  ];
  for (const [text, expected] of cases) {
    test(`${text} reads ${expected.join() || 'nothing'} of it`, () => {
      const reads = new Set<string>();
      evaluated(text, lazyRequest(reads));
      assert.deepEqual([...reads], expected);
    });
  }

  test('is compared like any other', () => {
    assert.equal(evaluated('data.body.json.x == 1', lazyRequest(new Set())).matched, true);
    assert.equal(evaluated(`data.body.form.a == 'b'`, lazyRequest(new Set())).matched, true);
    assert.equal(evaluated('size(data.body.bytes) > 3', lazyRequest(new Set())).matched, true);
    assert.equal(evaluated('size(data.body.bytes) > 4', lazyRequest(new Set())).matched, false);
  });
});

describe('a key that is called constructor', () => {
  const data = {
    name: 'race',
    constructor: { name: 'McLaren' },
    results: [{ constructor: 'Ferrari', place: 1 }],
  };
  const cases = [
    `data.name == 'race'`,
    `data.constructor.name == 'McLaren'`,
    `data.results[0].place == 1 && data.results[0].constructor == 'Ferrari'`,
    `data.results.exists(r, r.constructor == 'Ferrari')`,
    `has(data.constructor) && 'constructor' in data`,
    'size(data) == 3',
  ];
  for (const text of cases) {
    test(`is a key like any other: ${text}`, () => {
      assert.deepEqual(evaluated(text, data), { matched: true });
    });
  }

  test('is found in a body that is decoded when it is read', () => {
    const body = {
      get json() {
        return data;
      },
    };
    assert.equal(evaluated(`data.body.json.name == 'race'`, { body }).matched, true);
  });
});

describe('the cost of one evaluation', () => {
  const list = Array.from({ length: 200_000 }, (_, index) => index);
  const data = {
    list,
    short: list.slice(0, 160),
    texts: list.slice(0, 30_000).map(String),
    text: 'a'.repeat(900_000),
    tail: `${'a'.repeat(28)}!`,
    // Nothing of it can be skipped in a text that is all 'a'.
    needle: `${'a'.repeat(100_000)}b${'a'.repeat(100_000)}`,
    digits: `${'1'.repeat(50_000)}x`,
  };
  const costly = [
    'data.list.exists(x, data.list.exists(y, false))',
    'data.list.all(x, x in data.list)',
    'data.texts.exists(x, data.text.contains(x))',
    'data.texts.exists(x, size(data.text) == 0)',
    `data.texts.exists(x, data.text.matches('b' + x))`,
    `data.texts.exists(x, '1'.matches(x + '(a?){100}b'))`,
    `size([data.list]${'.map(a, a + a)'.repeat(60)}) == 0`,
    `size([data.text]${'.map(a, a + a)'.repeat(60)}[0]) == 0`,
    `data.list.exists(x, ${'x.a == 1 || '.repeat(80)} x.a == 1)`,
    `data.list.exists(x, ${' '.repeat(3_000)} x.a == data.list)`,
    `data.text.matches('(a?){100}a{100}b')`,
    'data.text.contains(data.needle)',
    'data.text.indexOf(data.needle) == 0',
    'data.text.indexOf(data.needle, 1) == 0',
    'data.text.lastIndexOf(data.needle) == 0',
    'data.text.lastIndexOf(data.needle, 800000) == 0',
    'size(data.text.split(data.needle)) == 0',
    'size(data.text.split(data.needle, 2)) == 0',
    `size([data.text.substring(0, 2000).split('').join(data.text.substring(0, 20000))]) == 0`,
  ];
  for (const text of costly) {
    test(`is bounded: ${text.slice(0, 70)}`, () => {
      // The processor's time: a busy machine adds none.
      const started = process.cpuUsage();
      const outcome = evaluated(text, data);
      const { user, system } = process.cpuUsage(started);
      assert.ok(user + system < 1_000 * STALL_MS);
      assert.deepEqual(outcome, {
        matched: false,
        error: `it takes more than ${FILTER_STEPS_MAX} steps`,
      });
    });
  }

  test('is counted anew for each evaluation', () => {
    const filter = compileFilter('data.short.exists(x, data.short.exists(y, false)) || true');
    const input = toFilterInput(eventOf(data));
    for (let round = 0; round < 3; round++) assert.equal(filter.evaluate(input).matched, true);
  });

  test('leaves room for an ordinary list', () => {
    const items = list.slice(0, 5_000).map((id) => ({ id, name: `item ${id}` }));
    const text = `data.items.exists(i, i.id == 4999 && i.name.startsWith('item'))`;
    assert.deepEqual(evaluated(text, { items }), { matched: true });
  });

  test('is a matter of milliseconds for (a+)+$ on text made for it', () => {
    const filters = [
      `data.tail.matches('(a+)+$')`,
      `matches(data.tail, '(a+)+$')`,
      `data.short.exists(x, data.tail.matches('(a+)+$'))`,
      `data.tail.matches('(a+)+' + '$')`,
    ];
    for (const text of filters) {
      const input = toFilterInput(eventOf(data));
      const filter = compileFilter(text);
      filter.evaluate(input);
      // The processor's time: a busy machine adds none.
      const started = process.cpuUsage();
      assert.deepEqual(filter.evaluate(input), { matched: false });
      const { user, system } = process.cpuUsage(started);
      assert.ok(user + system < 100_000, `${text}: ${user + system} µs`);
    }
  });

  test('of reading a number is a matter of milliseconds, also of text made for it', () => {
    const input = toFilterInput(eventOf(data));
    const filter = compileFilter('double(data.digits) > 1.0');
    filter.evaluate(input);
    const started = process.cpuUsage();
    const { error } = filter.evaluate(input);
    const { user, system } = process.cpuUsage(started);
    assert.equal(error, 'double conversion error');
    assert.ok(user + system < 100_000, `${user + system} µs`);
  });

  test('leaves room to look for a word in a large text, and for a long text in a small one', () => {
    const long = 'b'.repeat(5_000);
    const held = { text: `${data.text}word`, long, small: `a${long}` };
    for (const filter of [
      `data.text.contains('word') && data.text.indexOf('word') == 900000`,
      `data.text.lastIndexOf('word') == 900000`,
      'data.small.contains(data.long) && size(data.small.split(data.long)) == 2',
    ]) {
      assert.deepEqual(evaluated(filter, held), { matched: true }, filter);
    }
  });

  test('of data nested a hundred thousand times is no stack overflow', () => {
    const held = { a: nestedList(), b: nestedList() };
    assert.equal(evaluated('data.a == data.b', held).matched, false);
    assert.deepEqual(evaluated('data.c == 1', held), { matched: false, error: 'no such key: c' });
  });

  test('does not lose stack traces elsewhere', () => {
    const { stackTraceLimit } = Error;
    evaluated('data.nothing == 1', {});
    assert.equal(Error.stackTraceLimit, stackTraceLimit);
    assert.ok(stackTraceLimit > 0);
  });
});

test('a compiled filter is kept', () => {
  assert.equal(compileFilter('data.kept == 1'), compileFilter('data.kept == 1'));
});

function eventOf(data: unknown, type = 'get'): Event {
  const time = '2026-03-01T09:30:00Z';
  return { id: 'e1', source: 'shop', type, time, subject: 'order/1', data };
}

function evaluated(text: string, data: unknown, type?: string): FilterOutcome {
  return compileFilter(text).evaluate(toFilterInput(eventOf(data, type)));
}

function refusalOf(text: string): FilterError {
  try {
    compileFilter(text);
  } catch (error) {
    assert.ok(error instanceof FilterError, String(error));
    return error;
  }
  return assert.fail(`accepted: ${text.slice(0, 100)}`);
}

function nestedList(): unknown {
  let value: unknown = 1;
  for (let depth = 0; depth < 100_000; depth++) value = [value];
  return value;
}

/** A webhook request that notes which form of its body is read. */
function lazyRequest(reads: Set<string>): unknown {
  const forms = { text: '{}', bytes: Buffer.from('abcd'), json: { x: 1 }, form: { a: 'b' } };
  const body = {};
  for (const [form, value] of Object.entries(forms)) {
    const get = (): unknown => {
      reads.add(form);
      return value;
    };
    Object.defineProperty(body, form, { get, enumerable: true });
  }
  return { method: 'POST', url: { path: '/' }, headers: { a: 'b' }, body };
}
