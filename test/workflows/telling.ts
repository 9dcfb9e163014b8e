// A workflow whose commands depend on which signals come to it together.

import { condition, defineQuery, defineSignal, setHandler, upsertMemo } from '@temporalio/workflow';

export const countSignal = defineSignal<[isLast: boolean]>('count');
export const countedQuery = defineQuery<number>('counted');

/** Tells in its memo how many signals have come, whenever it goes on. */
export async function tellCount(): Promise<number> {
  const count = { come: 0, told: 0, isComplete: false };
  setHandler(countSignal, (isLast) => {
    count.come += 1;
    count.isComplete ||= isLast;
  });
  setHandler(countedQuery, () => count.come);
  while (!count.isComplete) {
    await condition(() => count.come > count.told);
    count.told = count.come;
    upsertMemo({ told: count.told });
  }
  return count.come;
}
