import { continueAsNew, executeChild, proxyActivities } from '@temporalio/workflow';
import { nextEvent, subscribe } from 'nextevent/workflow';

import type { Event, WebhookBody, WebhookData } from 'nextevent/workflow';

import { setStage } from './stage.ts';

/** How a body reads, in values that cross any border. */
export interface Reading {
  readonly text: string | null;
  readonly json: unknown;
  readonly form: unknown;
  readonly bytes: readonly number[] | null;
  /** Whether `bytes` is an array of bytes of the workflow's or the process's own. */
  readonly isBytes: boolean;
}

export interface ReadingActivities {
  readInActivity(event: Event<WebhookData>): Promise<Reading>;
}

const { readInActivity } = proxyActivities<ReadingActivities>({
  startToCloseTimeout: '1 minute',
  retry: { maximumAttempts: 1 },
});

export interface Readings {
  readonly started: Reading;
  readonly received: Reading;
  readonly activity: Reading;
  readonly child: Reading;
  readonly continued: Reading;
}

export function read({ text, json, form, bytes }: WebhookBody): Reading {
  const isBytes = bytes === null || bytes instanceof Uint8Array;
  return { text, json, form, bytes: bytes && Array.from(bytes), isBytes };
}

/** Reads the body of an event wherever an event can come from. */
export async function readBodies(
  event: Event<WebhookData>,
  before?: Omit<Readings, 'continued'>,
): Promise<Readings> {
  if (before) return { ...before, continued: read(event.data.body) };
  const stage = setStage();
  const id = await subscribe(event.source);
  stage.subscribed.push(id);
  const received = await nextEvent<WebhookData>(id);
  return continueAsNew<typeof readBodies>(received, {
    started: read(event.data.body),
    received: read(received.data.body),
    activity: await readInActivity(received),
    child: await executeChild(readBody, { args: [received] }),
  });
}

/** Reads the body of the event that it is given. */
export async function readBody(event: Event<WebhookData>): Promise<Reading> {
  return read(event.data.body);
}

/** Takes the event that started it, and the next one, and touches every reading of both. */
export async function touchBodies(event: Event<WebhookData>): Promise<number> {
  const stage = setStage();
  const id = await subscribe(event.source);
  stage.subscribed.push(id);
  const received = await nextEvent<WebhookData>(id);
  const readings = [event, received].map(({ data }) => read(data.body));
  return readings.reduce((total, { bytes }) => total + (bytes?.length ?? 0), 0);
}
