// The configuration of this clone: the workflows of examples/, on webhooks that take every
// request. Names of sources are what comes after /webhooks/ in an address.

import { defineConfig, webhook, type Event } from 'nextevent';

import { notify } from './examples/activities.ts';
import type * as workflows from './examples/index.ts';

const open = webhook({ verify: 'none' });

export default defineConfig<typeof workflows>({
  workflowsPath: './examples/index.ts',
  activities: { notify },
  sources: {
    hello: open,
    orders: open,
    approvals: open,
    cats: open,
    shop: open,
    payments: open,
    warehouse: open,
    carrier: open,
    questions: open,
    answers: open,
    watches: open,
    reports: open,
    deposits: open,
  },
  triggers: [
    { name: 'on-hello', source: 'hello', filter: "event_type == 'post'", workflow: 'hello' },
    {
      name: 'on-order',
      source: 'orders',
      filter: "event_type == 'post' && has(data.body.json.id)",
      workflow: 'approval',
    },
    {
      name: 'on-cat',
      source: 'cats',
      filter: "event_type == 'post' && data.url.path_suffix == ''",
      workflow: 'meow',
    },
    {
      name: 'on-purchase',
      source: 'shop',
      filter: "event_type == 'post' && has(data.body.json.id)",
      workflow: 'fulfilment',
    },
    {
      name: 'on-question',
      source: 'questions',
      filter: "event_type == 'post' && has(data.body.json.id)",
      workflow: 'reminder',
    },
    {
      name: 'on-watch',
      source: 'watches',
      filter: "event_type == 'post' && has(data.body.json.device)",
      workflow: 'silence',
    },
    {
      name: 'on-deposit',
      source: 'deposits',
      filter: "event_type == 'post' && has(data.body.json.cents)",
      workflow: 'account',
      // One workflow for each customer: its first deposit starts it, the others are fed to it.
      workflowId: (event: Event<workflows.Deposit>) => event.data.body.json.customer,
    },
  ],
});
