// When a workflow task has come to rest: the SDK looks at conditions only when no code of the
// workflow can go on.

import { CancellationScope, condition } from '@temporalio/workflow';

/** Returns when all code that can go on has done so, and what this has woken, too. */
export async function atRest(): Promise<void> {
  // Conditions are looked at between two signals as well, before any code has gone on.
  await Promise.resolve();
  await CancellationScope.nonCancellable(async () => {
    await nextLook();
    await nextLook();
  });
}

/** It is looked at when it is made, too. */
function nextLook(): Promise<void> {
  let looks = 0;
  return condition(() => ++looks > 1);
}
