// What comes while local activities are on their way: events, and what others give.

import {
  CancellationScope,
  condition,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { nextEvent, subscribe, triggerSubscription } from 'nextevent/workflow';

import { setStage } from './stage.ts';

export interface OverlappingActivities {
  /** Returns when the test lets it. */
  holdUp(workflowId: string): Promise<void>;
  /** Does nothing. */
  note(): Promise<void>;
  /** Takes so long, in milliseconds. */
  pause(ms: number): Promise<void>;
}

const options = { startToCloseTimeout: '5 minutes' } as const;
const { holdUp, pause } = proxyLocalActivities<OverlappingActivities>(options);
const { note } = proxyActivities<OverlappingActivities>(options);

export interface OverlapInput {
  readonly source: string;
  /**
   * Who goes on after an event: its reader; its reader, who asks only when it is told to go on; who has
   * waited for the activity and asks for the event then, beside who waits for that; or who waits until
   * something is read, beside who reads two.
   */
  readonly kind: 'waiting' | 'asking' | 'later' | 'collecting';
}

/** Waits for an event and for a local activity side by side. Tells in which order it went on. */
export async function overlap({ source, kind }: OverlapInput): Promise<readonly string[]> {
  const stage = setStage();
  const id = await subscribe(source);
  stage.subscribed.push(id);
  const order: string[] = [];
  let isHeld = true;
  const branches = {
    waiting: [read],
    asking: [read],
    later: [follow],
    collecting: [readTwo, collect],
  };
  await Promise.all([...branches[kind], onActivity].map((branch) => branch()));
  return order;

  async function read(): Promise<void> {
    if (kind === 'asking') await stage.untilTold(1);
    await nextEvent(id);
    order.push('event');
    await sleep(100);
  }

  async function follow(): Promise<void> {
    await condition(() => !isHeld);
    order.push('follower');
    await sleep(100);
  }

  async function readTwo(): Promise<void> {
    for (const count of ['one', 'two']) {
      await nextEvent(id);
      order.push(count);
    }
  }

  async function collect(): Promise<void> {
    await condition(() => order.length > 0);
    order.push(`collected ${order.length}`);
    await sleep(100 * order.length);
  }

  async function onActivity(): Promise<void> {
    await holdUp(workflowInfo().workflowId);
    order.push('activity');
    isHeld = false;
    if (kind === 'later') await nextEvent(id);
    await note();
  }
}

/** Cancels a local activity that has ended by then, in all likelihood: so much happens in between. */
export async function cancelEnded(source: string): Promise<string> {
  await subscribe(source);
  const scope = new CancellationScope();
  const other = scope
    .run(() => pause(200))
    .then(
      () => 'ended',
      (error: unknown) => (isCancellation(error) ? 'cancelled' : 'failed'),
    );
  const first = pause(190).then(() => scope.cancel());
  await pause(0);
  let count = 0;
  while (count < 1_000_000_000) count += 1;
  await first;
  return other;
}

/** What a trigger has fed is read after one local activity, beside what goes on after another one. */
export async function readFedBeside(): Promise<void> {
  await Promise.all([readFed(), noteLater()]);
}

async function readFed(): Promise<void> {
  await pause(100);
  await nextEvent(triggerSubscription());
  await sleep(1);
}

async function noteLater(): Promise<void> {
  await pause(300);
  await note();
}

/** Subscribes to all of these side by side, and waits for an event of each for a moment. */
export async function subscribeBeside(sources: readonly string[]): Promise<void> {
  await Promise.all(
    sources.map(async (source) => {
      const id = await subscribe(source);
      await nextEvent(id, { timeout: 1 });
      await note();
    }),
  );
}
