// What a source held, in answers that are small enough, and put together again.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import * as fc from 'fast-check';

import { backlogPageOf, countRecovered, joinRecovered, pageOf } from '../workflows/recovered.ts';
import type { Recovered, SourceState } from '../workflows/source-records.ts';

/** What the server takes as the result of an activity. */
const RESULT_BYTES_MAX = 2 * 1024 * 1024;

type PageOf = typeof pageOf;

describe('A state that is recovered in parts', () => {
  for (const [name, page] of [
    ['all of its lists', pageOf],
    ['its backlog alone, as older runs ask for it', backlogPageOf],
  ] as const) {
    test(`is the same afterwards: ${name}`, () => {
      const list = fc.array(fc.string({ maxLength: 40 }), { maxLength: 30 });
      const lists = { subscriptions: list, operations: list, obsolete: list, backlog: list };
      fc.assert(
        fc.property(fc.record(lists), (held) => {
          const state = stateOf(held);
          assert.deepEqual(joinRecovered(answersOf(state, page)), state);
        }),
      );
    });
  }

  test('is within what the server takes, whichever of its lists is large', () => {
    const large = Array.from({ length: 1_500 }, (_, index) => `${index}${'é'.repeat(4_000)}`);
    for (const list of ['subscriptions', 'operations', 'obsolete', 'backlog']) {
      const state = stateOf({ [list]: large });
      const answers = answersOf(state, pageOf);
      assert.ok(answers.length > 5, list);
      for (const answer of answers) {
        assert.ok(Buffer.byteLength(JSON.stringify(answer)) < RESULT_BYTES_MAX, list);
      }
      assert.deepEqual(joinRecovered(answers), state);
    }
  });

  test('is none if there was none', () => {
    assert.equal(joinRecovered([{ backlog: [], hasMore: false }]), undefined);
  });
});

/** As a source asks for them. */
function answersOf(state: SourceState, page: PageOf): readonly Recovered[] {
  const answers = [sent(page(state, undefined))];
  while (answers.at(-1)?.hasMore) answers.push(sent(page(state, countRecovered(answers))));
  return answers;
}

function sent(answer: Recovered): Recovered {
  return JSON.parse(JSON.stringify(answer)) as Recovered;
}

/** Records of any kind: nothing looks into them. */
function stateOf(lists: Readonly<Record<string, readonly string[]>>): SourceState {
  const records = Object.entries(lists).map(([list, ids]) => [list, ids.map((id) => ({ id }))]);
  const { operations, obsolete, ...others } = Object.fromEntries(records) as Record<
    string,
    readonly object[] | undefined
  >;
  return {
    version: 7,
    removals: [],
    forgotten: 3,
    segmentsMade: 2,
    subscriptions: [],
    backlog: [],
    ...others,
    ...(operations?.length && { operations }),
    ...(obsolete?.length && { obsolete }),
  } as unknown as SourceState;
}
