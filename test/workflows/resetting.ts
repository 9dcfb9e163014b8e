import { events, subscribe, unsubscribe } from 'nextevent/workflow';

import { setStage, type Stage } from './stage.ts';

/** An event whose id begins like this ends the subscription that it came for. */
const END = 'end';

/**
 * Twice subscribes when it is told, takes events until one ends that, and unsubscribes. A
 * test that waits after each step gives each a workflow task of its own.
 */
export async function stepByStep(source: string): Promise<string[]> {
  const stage = setStage();
  for (const time of [1, 2]) {
    await stage.untilTold(time);
    await takeUntilEnd(stage, source);
  }
  await stage.untilTold(3);
  return stage.received.map(({ id }) => id);
}

async function takeUntilEnd(stage: Stage, source: string): Promise<void> {
  const id = await subscribe(source);
  stage.subscribed.push(id);
  for await (const event of events(id)) {
    stage.show(event);
    if (event.id.startsWith(END)) break;
  }
  await unsubscribe(id);
  stage.subscribed.push('unsubscribed');
}
