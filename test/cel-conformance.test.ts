import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { FilterParts } from '../events/filter-parts.ts';
import { FilterError, compileFilter, toFilterInput } from '../events/filter.ts';
import { DIFFERENCES, PROBE_DIFFERENCES } from './cel-differences.ts';
import { inWords, loadSuite, type SuiteCase } from './cel-suite.ts';

describe('the conformance suite of CEL', () => {
  const { cases, skipped } = loadSuite();
  const known = new Map(
    DIFFERENCES.flatMap(({ reason, cases: names }) => names.map((name) => [name, reason] as const)),
  );
  const differences = cases.filter(({ name }) => reasonFor(name) !== undefined);
  const sections = new Map<string, SuiteCase[]>();
  for (const each of cases) {
    if (differences.includes(each)) continue;
    const [section = ''] = each.name.split('/');
    sections.set(section, [...(sections.get(section) ?? []), each]);
  }

  for (const [section, those] of sections) {
    test(`${section}: ${those.length} cases are as the language says`, () => {
      const found = those.map((each) => ({ ...each, found: evaluated(each) }));
      const wrong = found.filter((each) => each.found !== each.expected);
      assert.deepEqual(wrong, []);
    });
  }

  test('is the same for filters, which are checked before', () => {
    const those = cases.filter((each) => isFilter(each) && reasonFor(each.name) === undefined);
    const found = those.map((each) => ({ ...each, found: asFilter(each.expression) }));
    // Variables that the suite leaves unbound are no filter's.
    const accepted = found.filter((each) => !/unknown variable/.test(each.found));
    assert.ok(accepted.length > 400, `${accepted.length} cases`);
    assert.deepEqual(
      accepted.filter((each) => each.found !== each.expected),
      [],
    );
  });

  for (const { reason, cases: names } of DIFFERENCES) {
    test(`known difference: ${reason}`, () => {
      const those = cases.filter(({ name }) => names.some((listed) => isListed(listed, name)));
      for (const listed of names) {
        assert.ok(
          those.some(({ name }) => isListed(listed, name)),
          `no case ${listed}`,
        );
      }
      const mended = those.filter(
        (each) =>
          evaluated(each) === each.expected &&
          (!isFilter(each) || asFilter(each.expression) === each.expected),
      );
      assert.deepEqual(
        mended.map(({ name }) => name),
        [],
      );
    });
  }

  test('applies in these numbers', () => {
    const counts = { apply: cases.length, differ: differences.length };
    assert.deepEqual(counts, { apply: 1_117, differ: 68 });
  });

  test('does not apply where it is about something else than JSON', () => {
    assert.deepEqual(Object.fromEntries(skipped), {
      'protobuf messages': 574,
      'protobuf enums': 85,
      'names with dots, of protobuf packages': 8,
      'types that are only deduced': 70,
      'an extension: what optimisers write': 37,
      'an extension: base64': 4,
      'an extension: macros of two variables': 46,
      'an extension: math': 199,
      'an extension: optional values': 76,
      'an extension: more of strings': 128,
    });
  });

  function reasonFor(name: string): string | undefined {
    return known.get(name) ?? known.get(`${name.split('/').slice(0, -1).join('/')}/*`);
  }
});

describe('filters for webhooks, as cel-go answers them', () => {
  const url = new URL('cel-probes.json', import.meta.url);
  const { payload, probes } = JSON.parse(readFileSync(url, 'utf8')) as Probes;
  const input = toFilterInput({ id: '1', source: 's', type: 'push', time: '', data: payload });

  for (const { expr, expected } of probes) {
    const difference = PROBE_DIFFERENCES.get(expr);
    const how = difference === undefined ? `is ${expected}` : `differs: ${difference}`;
    test(`${expr} ${how}`, () => {
      const answer = answerOf(expr);
      if (difference === undefined) assert.equal(answer, expected);
      else assert.notEqual(answer, expected);
    });
  }

  test('are all there, and so are the known differences', () => {
    assert.equal(probes.length, 86);
    const filters = probes.map(({ expr }) => expr);
    for (const filter of PROBE_DIFFERENCES.keys()) assert.ok(filters.includes(filter), filter);
  });

  function answerOf(filter: string): boolean | 'error' {
    try {
      const { matched, error } = compileFilter(filter).evaluate(input);
      return error === undefined ? matched : 'error';
    } catch (error) {
      assert.ok(error instanceof FilterError, String(error));
      return 'error';
    }
  }
});

interface Probes {
  readonly payload: unknown;
  readonly probes: ReadonlyArray<{ readonly expr: string; readonly expected: boolean | 'error' }>;
}

function isListed(listed: string, name: string): boolean {
  if (!listed.endsWith('/*')) return listed === name;
  return name.slice(0, name.lastIndexOf('/') + 1) === listed.slice(0, -1);
}

function evaluated({ expression, variables }: SuiteCase): string {
  try {
    const outcome = new FilterParts(expression).evaluate([], variables);
    return 'error' in outcome ? 'error' : inWords(outcome.value);
  } catch (error) {
    assert.ok(error instanceof FilterError, String(error));
    return 'error';
  }
}

/** Whether it is true or false, and reads nothing that a filter can not. */
function isFilter({ expected, variables }: SuiteCase): boolean {
  return ['true', 'false'].includes(expected) && Object.keys(variables).length === 0;
}

function asFilter(text: string): string {
  const input = toFilterInput({ id: '1', source: 's', type: 't', time: '', data: {} });
  try {
    const { matched, error } = compileFilter(text).evaluate(input);
    return error ?? String(matched);
  } catch (error) {
    return String(error);
  }
}
