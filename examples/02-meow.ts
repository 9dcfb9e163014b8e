// Two waits on one source, one without a limit and one with. Filters read the request: its
// method, its path, and here what comes after the source's name.
//
//   curl -X POST http://127.0.0.1:8088/webhooks/cats       # starts it
//   curl http://127.0.0.1:8088/webhooks/cats/tom/meow      # what it waits for first
//   curl http://127.0.0.1:8088/webhooks/cats/tom/purr      # within a minute: GET or POST, any path

import type { Duration } from '@temporalio/common';
import { nextEvent, subscribe, unsubscribe } from 'nextevent/workflow';
import type { Event, WebhookData } from 'nextevent/workflow';

export async function meow(
  _first: Event<WebhookData>,
  answerWithin: Duration = '1 minute',
): Promise<string> {
  const meows = await subscribe('cats', "data.method == 'GET' && data.url.path.endsWith('/meow')");
  const heard = await nextEvent<WebhookData>(meows);
  await unsubscribe(meows);

  const answers = await subscribe('cats', "data.method == 'GET' || data.method == 'POST'");
  const answer = await nextEvent<WebhookData>(answers, { timeout: answerWithin });
  await unsubscribe(answers);

  const { path } = heard.data.url;
  if (answer === undefined) return `${path}, and no answer`;
  return `${path}, answered by ${answer.data.method} ${answer.data.url.path}`;
}
