// An alarm for what does not happen: a device that is watched and reports nothing for 24 hours
// (`silenceMs` in the request sets another limit). Every report begins the time anew.
//
//   curl -X POST http://127.0.0.1:8088/webhooks/watches \
//     -H 'content-type: application/json' -d '{"device":"pump-1"}'
//   curl -X POST http://127.0.0.1:8088/webhooks/reports \
//     -H 'content-type: application/json' -d '{"device":"pump-1","pressure":3.2}'

import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import { cel, nextEvent, subscribe, type Event, type SubscriptionId } from 'nextevent/workflow';

import type * as activities from './activities.ts';

type Watch = { body: { json: { device: string; silenceMs?: number; reportsPerRun?: number } } };

const { notify } = proxyActivities<typeof activities>({ startToCloseTimeout: '10 seconds' });

export async function silence(
  watch: Event<Watch>,
  held?: SubscriptionId,
  last = watch.time,
): Promise<string> {
  const { device, silenceMs = '24 hours', reportsPerRun = 1_000 } = watch.data.body.json;
  const reports = held ?? (await subscribe('reports', cel`data.body.json.device == ${device}`));

  let heard = last;
  for (let count = 0; count < reportsPerRun; count += 1) {
    const report = await nextEvent(reports, { timeout: silenceMs });
    if (report === undefined) {
      await notify(`${device} has been silent since ${heard}`);
      return heard;
    }
    heard = report.time;
  }
  // A history has an end, a pump may run for years: the next run has the same subscription.
  return continueAsNew<typeof silence>(watch, reports, heard);
}
