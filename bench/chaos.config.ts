// The project that the processes of bench/chaos.ts run.

import { defineConfig, webhook } from 'nextevent';

import { report } from './chaos/report.ts';
import type * as workflows from './chaos/workflows.ts';

export default defineConfig<typeof workflows>({
  workflowsPath: './chaos/workflows.ts',
  activities: { report },
  taskQueue: 'chaos',
  sources: {
    red: webhook({ verify: 'none' }),
    green: webhook({ verify: 'none' }),
    blue: webhook({ verify: 'none' }),
  },
  triggers: [
    {
      name: 'on-red',
      source: 'red',
      filter: 'has(data.body.json.starts)',
      workflow: 'startedByEvent',
    },
    {
      name: 'on-blue',
      source: 'blue',
      filter: 'has(data.body.json.starts)',
      workflow: 'startedByEvent',
    },
  ],
});
