// The two kinds of workflow that bench/wakeup.ts wakes. They differ in how they wait, and in
// nothing else.

import { condition, defineSignal, proxyLocalActivities, setHandler } from '@temporalio/workflow';
import { cel, nextEvent, subscribe } from 'nextevent/workflow';

import type { resumed } from './resumed.ts';
import type { Wake } from './wake.ts';

export const wakeSignal = defineSignal<[Wake]>('wake');

const activities = proxyLocalActivities<{ resumed: typeof resumed }>({
  startToCloseTimeout: '10 seconds',
});

export interface Waiting {
  readonly by: string;
  readonly workflow: number;
  /** Of those that wait for events. */
  readonly source?: string;
}

/** Waits through this library. */
export async function waitForEvents({ by, workflow, source = '' }: Waiting): Promise<void> {
  const wakes = await subscribe(source, cel`data.body.json.workflow == ${workflow}`);
  await activities.resumed({ by, workflow, round: 0 });
  for (;;) {
    const event = await nextEvent<{ body: { json: Wake } }>(wakes);
    await activities.resumed(event.data.body.json);
  }
}

/** Waits as a workflow does without this library. */
export async function waitForSignals({ by, workflow }: Waiting): Promise<void> {
  const wakes: Wake[] = [];
  setHandler(wakeSignal, (wake) => {
    wakes.push(wake);
  });
  await activities.resumed({ by, workflow, round: 0 });
  for (;;) {
    await condition(() => wakes.length > 0);
    for (const wake of wakes.splice(0)) await activities.resumed(wake);
  }
}
