import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { toEvidence } from '../bench/chaos/evidence.ts';
import { runChaos } from '../bench/chaos/run.ts';

/** Always the same plan. What meets what is different in every run all the same. */
const SEED = 20;

describe('When ingresses, workers and the server are killed and stopped at random', () => {
  test('nothing is lost, repeated, put out of order or left over in 30 seconds', async () => {
    const lines: string[] = [];
    const result = await runChaos({
      seed: SEED,
      minutes: 0.5,
      events: 400,
      subscribers: 10,
      terminates: false,
      log: (line) => lines.push(line),
    });
    const { lost, duplicated, reordered, leaked, unexpected, expected } = result.findings;
    const evidence = [...lines, ...toEvidence(result)].join('\n');
    for (const found of [lost, duplicated, reordered, leaked, unexpected, result.unsettled]) {
      assert.equal(found.length, 0, evidence);
    }
    // A run in which nothing was due, or nobody was hit, proves nothing.
    assert.ok(expected > 100, `${expected} were due`);
    assert.ok(result.kills >= 6 && result.stops >= 4, `${result.kills} kills`);
    assert.ok(result.records.events.every(({ acknowledgedAt }) => acknowledgedAt !== undefined));
  });
});
