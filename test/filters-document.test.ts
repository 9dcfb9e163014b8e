// docs/filters.md is the specification: what it says is run.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { FILTER_STEPS_MAX } from '../events/filter-budget.ts';
import { COMPREHENSION_NESTING_MAX } from '../events/filter-check.ts';
import { explainFilter, toSentence } from '../events/filter-explain.ts';
import { PATTERN_LENGTH_MAX, PATTERN_SIZE_MAX } from '../events/filter-regex.ts';
import {
  FILTER_DEPTH_MAX,
  FILTER_LENGTH_MAX,
  FILTER_NODES_MAX,
  FilterError,
  compileFilter,
  toFilterInput,
} from '../events/filter.ts';
import { DOCUMENT, answerOf, eventOf, inCell, rowsOf } from './filters-document.ts';

const PROGRAM = fileURLToPath(new URL('filters-document.ts', import.meta.url));

const run = promisify(execFile);

describe('docs/filters.md', () => {
  const rows = rowsOf(DOCUMENT);
  const refusals = [...DOCUMENT.matchAll(/^\| `(.+?)` +\| refused: `(.+?)` *\|$/gm)];

  test('has tables of filters', () => {
    assert.ok(rows.length >= 75, `${rows.length} rows`);
    assert.ok(refusals.length >= 7, `${refusals.length} refusals`);
    const lines = DOCUMENT.split('\n').filter((line) => line.startsWith('| `'));
    assert.equal(lines.length, rows.length + refusals.length + 3, 'all but the three variables');
  });

  for (const { filter, answer } of rows) {
    test(`is right about ${filter}`, () => assert.equal(answerOf(filter), answer));
  }

  for (const [, cell = '', message = ''] of refusals) {
    test(`is right about what is wrong with ${cell}`, () => {
      assert.equal(refusalOf(inCell(cell)), message);
    });
  }

  test('quotes an error as it is', () => {
    const quoted = /^ {4}(filter at .*)$/m.exec(DOCUMENT)?.[1];
    assert.equal(refusalOf(`data.url.path.endswith('/meow')`), quoted);
  });

  test('quotes an explanation as it is', () => {
    const quoted = /^ {4}does not match\n {6}(.*)$/m.exec(DOCUMENT)?.[1];
    const [reason] = explainFilter('data.body.json.order.total > 200', eventOf(DOCUMENT)).reasons;
    assert.equal(reason && toSentence(reason), quoted);
  });

  for (const zone of ['America/New_York', 'Asia/Kolkata', 'Pacific/Apia']) {
    test(`is as right on a host in ${zone}`, async () => {
      const options = ['--conditions=source', '--import', 'tsx', PROGRAM];
      const env = { ...process.env, TZ: zone };
      const { stdout } = await run(process.execPath, options, { env });
      const there = JSON.parse(stdout) as { zone: number; answers: unknown };
      assert.notEqual(there.zone, 0, 'its clock shows another time');
      assert.deepEqual(there.answers, rows);
    });
  }
});

describe('the limits', () => {
  const level = 'data.x.exists(y, ';
  const limits: Array<[limit: number, over: string]> = [
    [FILTER_LENGTH_MAX, `${' '.repeat(FILTER_LENGTH_MAX - 3)}true`],
    [
      FILTER_NODES_MAX,
      Array(FILTER_NODES_MAX / 4 + 1)
        .fill('1<2')
        .join('&&'),
    ],
    [FILTER_DEPTH_MAX, `${'('.repeat(FILTER_DEPTH_MAX)}true${')'.repeat(FILTER_DEPTH_MAX)}`],
    [
      COMPREHENSION_NESTING_MAX,
      `${level.repeat(COMPREHENSION_NESTING_MAX + 1)}true${')'.repeat(COMPREHENSION_NESTING_MAX + 1)}`,
    ],
    [PATTERN_LENGTH_MAX, `event_type.matches('${'a'.repeat(PATTERN_LENGTH_MAX + 1)}')`],
    [PATTERN_SIZE_MAX, `event_type.matches('(a{10}){100}')`],
    [FILTER_STEPS_MAX, 'data.body.json.list.exists(x, data.body.json.list.exists(y, false))'],
  ];
  const table = DOCUMENT.slice(DOCUMENT.indexOf('## Limits'), DOCUMENT.indexOf('Steps are'));
  const rows = [...table.matchAll(/^\| (.+?) +\| ([\d,]+).* \| `(.+)` *\|$/gm)];

  test('are all in the document', () => {
    const named = rows.map(([, , number = '']) => Number(number.replaceAll(',', '')));
    assert.deepEqual(
      named,
      limits.map(([limit]) => limit),
    );
  });

  for (const [index, [, what = '', , message = '']] of rows.entries()) {
    test(`${what}: above it, ${message}`, () => {
      const [, over = ''] = limits[index] ?? [];
      const said = index < limits.length - 1 ? refusalOf(over) : failureOf(over);
      assert.equal(said.replace(/^filter at line 1, column \d+: /, ''), message);
    });
  }

  test('are where the document says', () => {
    compileFilter(`${' '.repeat(FILTER_LENGTH_MAX - 4)}true`);
    compileFilter(
      Array(FILTER_NODES_MAX / 4)
        .fill('1<2')
        .join('&&'),
    );
    compileFilter(`${level.repeat(COMPREHENSION_NESTING_MAX)}true))`);
    compileFilter(`event_type.matches('${'a'.repeat(PATTERN_LENGTH_MAX - 10)}')`);
  });
});

function refusalOf(filter: string): string {
  try {
    compileFilter(filter);
  } catch (error) {
    assert.ok(error instanceof FilterError, String(error));
    return error.message;
  }
  return assert.fail(`accepted: ${filter.slice(0, 100)}`);
}

function failureOf(filter: string): string {
  const event = eventOf(DOCUMENT);
  const data = { body: { json: { list: Array.from({ length: 2_000 }, () => 1) } } };
  return compileFilter(filter).evaluate(toFilterInput({ ...event, data })).error ?? '';
}
