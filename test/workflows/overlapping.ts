// An event that comes while a local activity is on its way.

import { proxyActivities, proxyLocalActivities, sleep, workflowInfo } from '@temporalio/workflow';
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

interface OverlapInput {
  readonly source: string;
  /** Whether it asks for the event only when it is told to go on. */
  readonly isQueued: boolean;
}

/** What goes on first: what waits for an event, or what waits for a local activity. */
export async function overlap({ source, isQueued }: OverlapInput): Promise<readonly string[]> {
  const stage = setStage();
  const id = await subscribe(source);
  stage.subscribed.push(id);
  const order: string[] = [];
  await Promise.all([onEvent(), onActivity()]);
  return order;

  async function onEvent(): Promise<void> {
    if (isQueued) await stage.untilTold(1);
    stage.show(await nextEvent(id));
    order.push('event');
    await sleep(100);
  }

  async function onActivity(): Promise<void> {
    await holdUp(workflowInfo().workflowId);
    order.push('activity');
    await note();
  }
}
