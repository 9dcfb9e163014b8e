import assert from 'node:assert/strict';
import { test } from 'node:test';

import { matchSubscribers } from '../dispatch/matcher.ts';
import { FilterIndex } from '../events/filter-index.ts';
import type { Subscription } from '../events/subscription.ts';

const event = { id: 'e1', source: 'shop', type: 'post', time: '2026-03-01T12:00:00Z', data: {} };

test('An event that is matched again concerns only those that it was not matched against', () => {
  const index = new FilterIndex<Subscription>();
  for (const seq of [1, 2]) {
    for (const filter of ['', 'data.missing > 5']) {
      const id = `${seq} ${filter}`;
      index.add(id, filter, { id, filter, seq, workflowId: `w${seq}`, firstRunId: 'run' });
    }
  }
  const { matches, failed } = matchSubscribers(index, event, ({ seq }) => seq > 1);
  assert.deepEqual(
    matches.map(({ subscriptions }) => subscriptions),
    [['2 ']],
  );
  assert.deepEqual([...failed.keys()], ['2 data.missing > 5']);
});
