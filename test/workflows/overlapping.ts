// What comes while local activities are on their way: events, and what others give.

import {
  condition,
  proxyActivities,
  proxyLocalActivities,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { nextEvent, subscribe } from 'nextevent/workflow';

import { setStage } from './stage.ts';

export interface OverlappingActivities {
  /** Returns when the test lets it. */
  holdUp(workflowId: string): Promise<void>;
  /** Does nothing. */
  note(): Promise<void>;
}

const options = { startToCloseTimeout: '5 minutes' } as const;
const { holdUp } = proxyLocalActivities<OverlappingActivities>(options);
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
