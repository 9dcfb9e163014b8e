// The workflows of bench/throughput.ts and bench/fanout.ts. They wait through this library and for
// bare signals, and do the same with both: count, and say when it were enough.

import { condition, defineSignal, proxyLocalActivities, setHandler } from '@temporalio/workflow';
import { nextEvent, subscribe } from 'nextevent/workflow';

import type { resumed } from './resumed.ts';

/** Its argument is as large as that of an event's signal. */
const bareSignal = defineSignal<[unknown]>('bare');

const activities = proxyLocalActivities<{ resumed: typeof resumed }>({
  startToCloseTimeout: '1 minute',
});

export interface Counting {
  readonly workflow: number;
  readonly source: string;
  readonly filter: string;
  /** After so many it says so. */
  readonly batch: number;
}

export async function count({ workflow, source, filter, batch }: Counting): Promise<void> {
  let signals = 0;
  setHandler(bareSignal, () => {
    signals += 1;
  });
  const subscription = await subscribe(source, filter);
  const say = (kind: 'event' | 'signal', round: number): Promise<void> =>
    activities.resumed({ by: `${source} ${kind}`, workflow, round });
  await say('event', 0);
  await Promise.all([countEvents(), countSignals()]);

  async function countEvents(): Promise<void> {
    for (let round = 1; ; round += 1) {
      for (let events = 0; events < batch; events += 1) await nextEvent(subscription);
      await say('event', round);
    }
  }

  async function countSignals(): Promise<void> {
    for (let round = 1; ; round += 1) {
      for (let taken = 0; taken < batch; taken += 1) {
        await condition(() => signals > 0);
        signals -= 1;
      }
      await say('signal', round);
    }
  }
}
