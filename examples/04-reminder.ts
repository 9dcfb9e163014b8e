// A question with reminders. It waits for the answer, and reminds every day until it comes, three
// times at most (`remindEveryMs` and `remindersMax` in the question set other limits).
//
//   curl -X POST http://127.0.0.1:8088/webhooks/questions \
//     -H 'content-type: application/json' -d '{"id":"Q-1","text":"Ship on Monday?"}'
//   curl -X POST http://127.0.0.1:8088/webhooks/answers \
//     -H 'content-type: application/json' -d '{"question":"Q-1","text":"yes"}'

import { proxyActivities } from '@temporalio/workflow';
import { cel, nextEvent, subscribe, type Event } from 'nextevent/workflow';

import type * as activities from './activities.ts';

type Question = {
  body: { json: { id: string; text: string; remindEveryMs?: number; remindersMax?: number } };
};
type Answer = { body: { json: { text: string } } };

const { notify } = proxyActivities<typeof activities>({ startToCloseTimeout: '10 seconds' });

export async function reminder(asked: Event<Question>): Promise<string> {
  const { id, text, remindEveryMs = '1 day', remindersMax = 3 } = asked.data.body.json;
  const answers = await subscribe('answers', cel`data.body.json.question == ${id}`);

  for (let reminders = 0; ; reminders += 1) {
    // An answer that comes while the reminder is being sent is not lost: it is the next event.
    const answer = await nextEvent<Answer>(answers, { timeout: remindEveryMs });
    if (answer) return `${id}: ${answer.data.body.json.text}, after ${reminders} reminders`;
    if (reminders === remindersMax) return `${id}: no answer after ${reminders} reminders`;
    await notify(`${text} (reminder ${reminders + 1} of ${remindersMax})`);
  }
}
