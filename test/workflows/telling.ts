// Workflows that are asked: one whose commands depend on which signals come to it together, and one
// that makes all kinds of them.

import {
  ActivityCancellationType,
  CancellationScope,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  sleep,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';

export const countSignal = defineSignal<[isLast: boolean]>('count');
export const countedQuery = defineQuery<number>('counted');

export const stepSignal = defineSignal('step');
export const refusedUpdate = defineUpdate<void>('refused');

interface Waiting {
  wait(ms: number): Promise<void>;
}

const { wait } = proxyActivities<Waiting>({
  startToCloseTimeout: 60_000,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});
const { wait: waitLocally } = proxyLocalActivities<Waiting>({ startToCloseTimeout: 60_000 });

const longTimer = () => sleep(60_000);
const longActivity = () => wait(3000);
const atOnce = () => Promise.resolve();
const laterTask = () => sleep(1);

/** Whatever makes events in a history, or takes some back: one step for each signal. */
const STEPS: ReadonlyArray<() => Promise<unknown>> = [
  atOnce,
  () => Promise.resolve(upsertMemo({ told: 1 })),
  () => sleep(1),
  () => cancelled(longTimer, atOnce),
  () => cancelled(longTimer, laterTask),
  () => wait(0),
  () => Promise.all([wait(0), wait(0), sleep(1)]),
  () => cancelled(longActivity, atOnce),
  () => cancelled(longActivity, laterTask),
  () => waitLocally(0),
  // Longer than a task may take: the worker tells the server that it goes on.
  () => waitLocally(2 * workflowInfo().taskTimeoutMs),
  () => executeChild(endAtOnce),
];
export const STEP_COUNT = STEPS.length;

/** Takes a step for each signal, and tells how many it has taken. */
export async function takeSteps(): Promise<void> {
  const steps = { asked: 0, taken: 0 };
  setHandler(stepSignal, () => {
    steps.asked += 1;
  });
  setHandler(refusedUpdate, () => {}, {
    validator() {
      throw new Error('refused');
    },
  });
  setHandler(countedQuery, () => steps.taken);
  for (const step of STEPS) {
    await condition(() => steps.asked > steps.taken);
    await step();
    steps.taken += 1;
  }
}

export async function endAtOnce(): Promise<void> {}

/** What is begun, and cancelled once something else is over. */
async function cancelled(
  begin: () => Promise<unknown>,
  until: () => Promise<unknown>,
): Promise<void> {
  await CancellationScope.cancellable(async () => {
    const begun = begin();
    await until();
    CancellationScope.current().cancel();
    await begun;
  }).catch((error: unknown) => {
    if (!isCancellation(error)) throw error;
  });
}

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
