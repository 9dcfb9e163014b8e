// What a test is about may not come to pass on a busy machine, where an event goes by way of the
// backlog. Then the test is made again: it would be green, and have shown nothing.

import assert from 'node:assert/strict';

const ROUNDS_MAX = 10;

/** Makes rounds, each with a name of its own, until one tells that it has shown what it is for. */
export async function untilShown(
  what: string,
  round: (name: string) => Promise<boolean>,
): Promise<void> {
  for (let rounds = 0; rounds < ROUNDS_MAX; rounds += 1) {
    if (await round(`round ${rounds}`)) return;
  }
  assert.fail(`in none of ${ROUNDS_MAX} rounds ${what}`);
}
