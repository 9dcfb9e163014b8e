// Workflows that answer the request whose event started them, each in its own way.

import { ApplicationFailure } from '@temporalio/common';
import { continueAsNew, sleep } from '@temporalio/workflow';
import { nextEvent, respond, subscribe, triggerSubscription } from 'nextevent/workflow';

import type { Event, HttpResponse } from 'nextevent/workflow';

import { setStage } from './stage.ts';

type Asked = Event<{ body: { json: { response?: HttpResponse; key?: string } } }>;

/** At once, with what it was sent. */
export async function respondAtOnce(asked: Asked): Promise<void> {
  await respond(asked.data.body.json.response);
}

/** When a later event has come, and goes on for a while after that. */
export async function respondLater(asked: Asked): Promise<string> {
  const later = await subscribe('later', `data.body.json.key == '${asked.data.body.json.key}'`);
  const event = await nextEvent(later);
  await respond({ body: { answeredBy: event.id } });
  await sleep(300);
  return event.id;
}

/** In the run after the one that was asked, which has ended by then. */
export async function respondInNextRun(asked: Asked, run = 1): Promise<void> {
  await sleep(200);
  if (run === 1) await continueAsNew<typeof respondInNextRun>(asked, 2);
  await respond({ body: 'from the second run' });
}

export async function neverRespond(_asked: Asked): Promise<string> {
  return 'done';
}

export async function failToRespond(_asked: Asked): Promise<void> {
  throw ApplicationFailure.nonRetryable('secret of the workflow');
}

/** Tells what it threw to answer twice, or what can not be sent. */
export async function respondWrongly(asked: Asked): Promise<string[]> {
  const thrown: string[] = [];
  const responses: HttpResponse[] = [
    { status: 99 },
    { headers: { 'content-length': '3' } },
    { headers: { good: 'a\r\nbad: b' } },
    { body: 'x'.repeat(1024 * 1024) },
    { status: 201 },
    { status: 202 },
  ];
  for (const response of responses) {
    await respond(response, asked).catch((error: Error) => thrown.push(error.message));
  }
  return thrown;
}

/** Answers what started it, when it has been told to go on or was told what to answer. */
export async function respondAndReturn(asked: Asked): Promise<void> {
  const { key } = asked.data.body.json;
  if (key === 'first') await setStage().untilTold(1);
  await respond({ body: key });
}

/** Answers each of the events that it is fed, until one is the last. */
export async function respondToEach(asked: Asked): Promise<void> {
  let event: Asked = asked;
  for (let count = 1; event.data.body.json.key !== 'last'; count += 1) {
    await respond({ body: { count } }, event);
    event = await nextEvent<Asked['data']>(triggerSubscription());
  }
  await respond({ body: 'bye' }, event);
}
