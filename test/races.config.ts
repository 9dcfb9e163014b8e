// The project that the ingresses of `races.test.ts` run. Its worker is the test's.

import { defineConfig, webhook } from '../nextevent.ts';

export default defineConfig({
  workflowsPath: './workflows/index.ts',
  taskQueue: 'races',
  sources: {
    moment: webhook({ verify: 'none' }),
    again: webhook({ verify: 'none' }),
    starting: webhook({ verify: 'none' }),
  },
  triggers: [
    {
      name: 'first',
      source: 'starting',
      filter: 'data.body.json.start',
      workflow: 'subscribeFirst',
    },
  ],
});
