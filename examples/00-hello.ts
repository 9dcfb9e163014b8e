// What `npm start` asks you to try: the first POST starts this workflow, the next one wakes it.
// The next one also starts a second workflow, which the third one wakes, and so on.
//
//   curl -X POST http://127.0.0.1:8088/webhooks/hello \
//     -H 'content-type: application/json' -d '{"hello":"world"}'
//   curl -X POST http://127.0.0.1:8088/webhooks/hello \
//     -H 'content-type: application/json' -d '{"hello":"again"}'

import { nextEvent, subscribe, type Event, type WebhookData } from 'nextevent/workflow';

export async function hello(first: Event<WebhookData>): Promise<string> {
  // From here on: the POST that started this workflow is not among what it receives.
  const posts = await subscribe('hello', "event_type == 'post'");

  // No worker has to be up meanwhile, and a restart of everything forgets nothing.
  const next = await nextEvent<WebhookData>(posts, { timeout: '1 day' });

  // There is nothing to clean up: the end of the workflow ends its subscriptions.
  if (next === undefined) return `${first.data.body.text}, and then nothing for a day`;
  return `${first.data.body.text}, then ${next.data.body.text}`;
}
