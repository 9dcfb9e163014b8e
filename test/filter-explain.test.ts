import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { Event } from '../events/event.ts';
import { explainFilter, toSentence } from '../events/filter-explain.ts';
import { compileFilter, toFilterInput } from '../events/filter.ts';
import { whyNoMatch, type Candidate } from '../ingress/no-match.ts';

const SECRET = 'Bearer verysecret';

/** Far more than an explanation takes, and far less than one without a bound does. */
const STALL_MS = 3_000;

const event = eventOf({
  method: 'POST',
  url: { path: '/hooks/shop' },
  headers: { 'content-type': 'application/json', authorization: SECRET, cookie: 'a=1' },
  body: {
    json: {
      action: 'closed',
      total: 120,
      coupon: null,
      none: [],
      empty: {},
      items: [
        { sku: 'p1', quantity: 2 },
        { sku: 'p2', quantity: 1 },
      ],
      pull_request: { number: 3, draft: false, 'merged at': null },
      constructor: { name: 'x' },
    },
  },
});

describe('why a filter did not match', () => {
  const cases: Array<[filter: string, ...reasons: string[]]> = [
    [
      `data.body.json.action == 'opened'`,
      `\`data.body.json.action == 'opened'\` was false: data.body.json.action is 'closed', not 'opened'`,
    ],
    [
      `'opened' == data.body.json.action`,
      `\`'opened' == data.body.json.action\` was false: data.body.json.action is 'closed', not 'opened'`,
    ],
    [
      `data.body.json.total == '120'`,
      `\`data.body.json.total == '120'\` was false: data.body.json.total is 120, not '120' (a double is never equal to a string)`,
    ],
    [
      `data.body.json.total > 200`,
      '`data.body.json.total > 200` was false: data.body.json.total is 120, not > 200',
    ],
    [`data.method != 'POST'`, `\`data.method != 'POST'\` was false: data.method is 'POST'`],
    [
      `data.method in ['GET', 'PUT']`,
      `\`data.method in ['GET', 'PUT']\` was false: data.method is 'POST', not in ['GET', 'PUT']`,
    ],
    [
      `'x' in data.body.json.pull_request`,
      `\`'x' in data.body.json.pull_request\` was false: data.body.json.pull_request has number, draft, merged at`,
    ],
    [
      `event_type.startsWith('push')`,
      `\`event_type.startsWith('push')\` was false: event_type is 'order.paid': startsWith('push') is false`,
    ],
    [
      'data.body.json.pull_request.draft',
      '`data.body.json.pull_request.draft` was false: data.body.json.pull_request.draft is false',
    ],
    [
      'data.body.json.pull_request.drft',
      '`data.body.json.pull_request.drft` failed: no such key: drft; data.body.json.pull_request has number, draft, merged at; did you mean draft?',
    ],
    [
      'has(data.body.json.empty.x)',
      '`has(data.body.json.empty.x)` was false: no such key: x; data.body.json.empty is empty',
    ],
    [
      `data.body.json.coupon.code == 'x'`,
      '`data.body.json.coupon.code` failed: data.body.json.coupon is null, which has no keys',
    ],
    [
      `data.body.json.items[5].sku == 'x'`,
      '`data.body.json.items[5]` failed: data.body.json.items is a list of 2, and has no element 5',
    ],
    [
      'data.body.json.total + 1 == 121',
      '`data.body.json.total + 1` failed: no such overload: double + int; data.body.json.total is 120; numbers in JSON are doubles: write 1.0, or int(value)',
    ],
    ['data.body.json.total', '`data.body.json.total` failed: it is of type double, not bool: 120'],
    [
      `timestamp(data.body.json.action) > timestamp('2020-01-01T00:00:00Z')`,
      `\`timestamp(data.body.json.action)\` failed: invalid timestamp; data.body.json.action is 'closed'`,
    ],
    ['1 == 2', '`1 == 2` was false: it is always false'],
    ['false', '`false` was false: it is always false'],
    ["!(data.method == 'POST')", "`data.method == 'POST'` was true: data.method is 'POST'"],
    [
      `data.method == 'GET' && event_type == 'order.paid' && data.body.json.total > 200.0`,
      `\`data.method == 'GET'\` was false: data.method is 'POST', not 'GET'`,
      '`data.body.json.total > 200.0` was false: data.body.json.total is 120, not > 200.0',
    ],
    [
      `data.nothing == 1 && data.method == 'GET'`,
      `\`data.method == 'GET'\` was false: data.method is 'POST', not 'GET'`,
    ],
    [
      `data.nothing == 1 && data.method == 'POST'`,
      '`data.nothing` failed: no such key: nothing; data has method, url, headers, body',
    ],
    [
      `data.nothing == 1 || (data.method) in ['GET']`,
      '`data.nothing` failed: no such key: nothing; data has method, url, headers, body',
      `\`(data.method) in ['GET']\` was false: data.method is 'POST', not in ['GET']`,
    ],
    [
      `event_type == 'order' ? true : data.method == 'GET'`,
      `\`data.method == 'GET'\` was false: data.method is 'POST', not 'GET'`,
    ],
    [
      `data.body.json.items.exists(item, item.sku == 'p3')`,
      `\`data.body.json.items.exists(item, item.sku == 'p3')\` was false: it is false for all 2 elements of data.body.json.items; the first: item.sku is 'p1', not 'p3'`,
    ],
    [
      'data.body.json.items.all(i, i.quantity > 1)',
      '`data.body.json.items.all(i, i.quantity > 1)` was false: element 1 of data.body.json.items: i.quantity is 1, not > 1',
    ],
    [
      'data.body.json.items.exists_one(i, i.quantity > 0)',
      '`data.body.json.items.exists_one(i, i.quantity > 0)` was false: it is true for 2 of the 2 elements of data.body.json.items',
    ],
    [
      'data.body.json.none.exists(i, i > 1)',
      '`data.body.json.none.exists(i, i > 1)` was false: data.body.json.none is empty',
    ],
    [
      'data.body.json.items.exists(i, i.price > 1)',
      '`i.price` failed: no such key: price; i has sku, quantity',
    ],
    [
      `timestamp(event.time).getHours('America/New_York') == 9`,
      `\`timestamp(event.time).getHours('America/New_York') == 9\` was false: timestamp(event.time).getHours('America/New_York') is 4, not 9`,
    ],
    [
      `data.body.json.constructor.name == 'y'`,
      `\`data.body.json.constructor.name == 'y'\` was false: data.body.json.constructor.name is 'x', not 'y'`,
    ],
  ];
  for (const [filter, ...reasons] of cases) {
    test(`is said of ${filter}`, () => {
      const explanation = explainFilter(filter, event);
      assert.equal(explanation.matched, false);
      assert.deepEqual(explanation.reasons.map(toSentence), reasons);
      const { error } = compileFilter(filter).evaluate(toFilterInput(event));
      assert.equal(explanation.error, error, 'the filter itself says the same');
    });
  }

  test('is found in long lists as far as it looks, and is not made up', () => {
    const list = Array.from({ length: 100 }, (_, index) => index);
    const found: Array<[filter: string, why: string]> = [
      [
        'data.list.all(x, x < 90)',
        'it is false because of an element of data.list after the first 50',
      ],
      ['data.list.all(x, x < 40)', 'element 40 of data.list: x is 40, not < 40'],
      ['data.list.exists_one(x, x > 90)', 'it is true for 0 of the first 50 elements of data.list'],
      ['data.list.exists_one(x, x < 9)', 'it is true for 9 of the first 50 elements of data.list'],
      [
        '!data.list.exists(x, x == 70)',
        'it is true because of an element of data.list after the first 50',
      ],
      ['!data.list.exists(x, x == 7)', 'element 7 of data.list: x is 7'],
      ['!data.list.all(x, x < 100)', 'it is true for all 100 elements of data.list'],
      [
        '[data.list[3]].exists(x, x == 4)',
        'it is false for the one element of [data.list[3]]; the first: x is 3, not 4',
      ],
    ];
    for (const [filter, why] of found) {
      const { reasons } = explainFilter(filter, eventOf({ list }));
      assert.deepEqual(
        reasons.map((reason) => reason.why),
        [why],
        filter,
      );
    }
  });

  test('comes with the place of the part', () => {
    const { reasons } = explainFilter(`event_type != ''\n  && data.method == 'GET'`, event);
    assert.deepEqual(
      reasons.map(({ part, position, result }) => ({ part, position, result })),
      [{ part: `data.method == 'GET'`, position: { line: 2, column: 6 }, result: 'false' }],
    );
  });

  test('is nothing for one that did', () => {
    for (const filter of ['', "data.method == 'POST'"]) {
      assert.deepEqual(explainFilter(filter, event), { matched: true, reasons: [] });
    }
  });

  test('is an error for what is no filter', () => {
    assert.throws(() => explainFilter('dta.x', event), { name: 'FilterError' });
  });
});

describe('an explanation', () => {
  test('shows nothing that a request proves itself with', () => {
    const filters = [
      `data.headers.authorization == 'x'`,
      `data.headers['Authorization'].startsWith('x')`,
      `data.headers == {'a': 'b'}`,
      `data == {'a': 'b'}`,
      `data.headers.exists(h, data.headers[h] == 'x')`,
      `data.headers.filter(h, h == 'authorization').all(h, data.headers[h] == 'x')`,
      `cel.bind(a, data.headers.authorization, a == 'x')`,
      `[data.headers.authorization] == ['x']`,
      `('a ' + data.headers.authorization) == 'x'`,
      `data.headers.cookie == 'x'`,
      `data.headers.authorization.substring(7) == 'x'`,
      `data.headers.all(h, data.headers[h].substring(7) == 'x')`,
      `data.headers.filter(h, h != 'cookie').exists(h, data.headers[h].substring(7).size() < 5)`,
      `data.headers.filter(h, h.startsWith('a')).all(h, data.headers[h].substring(7) == 'x')`,
    ];
    for (const filter of filters) {
      const text = JSON.stringify(explainFilter(filter, event));
      assert.doesNotMatch(text, /verysecret|a=1/, filter);
    }
  });

  test('is short, whatever the filter and the event are', () => {
    const long = 'x'.repeat(100_000);
    const big = eventOf({
      text: `${long}\n'`,
      keys: { 'a\nb\u001b[31m\u009b': 1 },
      map: Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`${long}${index}`, 1])),
      list: Array.from({ length: 10_000 }, () => long),
      deep: [[[[[[long]]]]]],
    });
    const filters = [
      `data.text == 'a'`,
      'data.map.key == 1',
      'data.keys.key == 1',
      `data.list == ['${'a'.repeat(3_000)}']`,
      'data.deep == []',
      'data == {}',
      Array.from({ length: 150 }, (_, index) => `data.text == '${index}'`).join(' || '),
    ];
    for (const filter of filters) {
      const { reasons } = explainFilter(filter, big);
      assert.ok(reasons.length >= 1 && reasons.length <= 5, filter);
      for (const reason of reasons) {
        assert.ok(toSentence(reason).length < 1_200, `${toSentence(reason).length} ${filter}`);
        // oxlint-disable-next-line no-control-regex
        assert.doesNotMatch(toSentence(reason), /[\u0000-\u001f\u007f-\u009f]/);
      }
    }
  });

  test('takes no longer than people wait for', () => {
    const list = Array.from({ length: 20_000 }, (_, index) => index);
    const costly = eventOf({ list, short: list.slice(0, 400), text: 'a'.repeat(900_000) });
    const filters = [
      'data.short.exists(x, data.short.exists(y, x + y < 0.0))',
      'data.list.all(x, x in data.list)',
      'data.list.exists(x, data.list.exists(y, false))',
      `data.text.matches('(a?){100}a{100}b') || data.list.exists(x, x < 0)`,
      Array.from({ length: 190 }, (_, index) => `data.a${index} == 1`).join(' || '),
    ];
    for (const filter of filters) {
      // The processor's time: a busy machine adds none.
      const started = process.cpuUsage();
      const { matched, reasons } = explainFilter(filter, costly);
      const { user, system } = process.cpuUsage(started);
      assert.ok(user + system < 1_000 * STALL_MS, filter);
      assert.equal(matched, false);
      assert.ok(reasons.length > 0, filter);
    }
  });

  test('blames no part that there was no time to look into', () => {
    const list = Array.from({ length: 20_000 }, (_, index) => index);
    const { reasons } = explainFilter(
      'data.list.exists(x, data.list.exists(y, false))',
      eventOf({ list }),
    );
    assert.deepEqual(
      reasons.map(({ part, why }) => [part, /takes/.test(why)]),
      [['data.list.exists(x, data.list.exists(y, false))', true]],
    );
  });
});

describe('why nobody wanted an event', () => {
  test('names those that came nearest, three at the most', () => {
    const far = `event_type == 'a' && data.method == 'b' && data.url.path == 'c'`;
    const near = `data.method == 'POST' && data.body.json.action == 'opened'`;
    const line = whyNoMatch(event, [
      candidate('far', far),
      candidate('near', near),
      candidate('all', ''),
      candidate('nearer', `data.body.json.total > 121`),
      candidate('further', far),
    ]);
    assert.match(line, /^near: data\.body\.json\.action is 'closed', not 'opened'; nearer: /);
    assert.match(line, /; nearer: data\.body\.json\.total is 120, not > 121; far: event_type is /);
    assert.doesNotMatch(line, /all|further/);
  });

  test('is one short line', () => {
    const long = eventOf({ text: 'x\n'.repeat(10_000) });
    const filter = Array.from({ length: 20 }, (_, n) => `data.text == '${n}'`).join(' && ');
    const many = Array.from({ length: 1_000 }, (_, index) => candidate(`w-${index}`, filter));
    const line = whyNoMatch(long, many);
    assert.ok(line.length < 600, line);
    assert.doesNotMatch(line, /\n/);
  });
});

function candidate(name: string, filter: string): Candidate {
  return { name, filter };
}

function eventOf(data: unknown): Event {
  return { id: 'e1', source: 'shop', type: 'order.paid', time: '2026-03-01T09:30:00Z', data };
}
