// Shown in docs/workflows.md: a race between an event and something else.

import type { Duration } from '@temporalio/common';
import { CancellationScope, condition, defineSignal, setHandler } from '@temporalio/workflow';
import { nextEvent, subscribe } from 'nextevent/workflow';

export const withdrawSignal = defineSignal('withdraw');

/** Waits for a decision until the question is withdrawn, and then for a late one. */
export async function decideOrWithdraw(source: string, lateness: Duration): Promise<string> {
  let isWithdrawn = false;
  setHandler(withdrawSignal, () => {
    isWithdrawn = true;
  });
  const decisions = await subscribe(source);

  const race = new CancellationScope();
  const decision = await race.run(() =>
    Promise.race([nextEvent(decisions), condition(() => isWithdrawn).then(() => undefined)]),
  );
  race.cancel();
  if (decision !== undefined) return `decided by ${decision.id}`;

  // The call that lost waits no more, so the next event is for this one.
  const late = await nextEvent(decisions, { timeout: lateness });
  return late === undefined ? 'withdrawn' : `withdrawn, then decided by ${late.id}`;
}
