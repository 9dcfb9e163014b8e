// The project that the processes of `scenarios.test.ts` run first.

import { defineConfig, webhook } from '../nextevent.ts';

export default defineConfig({
  workflowsPath: './workflows/deployed.ts',
  taskQueue: 'deployed',
  activities: {
    ask: async (url: string) => {
      await (await fetch(url)).text();
    },
  },
  sources: {
    killed: webhook({ verify: 'none' }),
    accepted: webhook({ verify: 'none' }),
    answered: webhook({ verify: 'none' }),
    'also-kept': webhook({ verify: 'none' }),
    kept: webhook({ verify: 'none' }),
    removed: webhook({ verify: 'none' }),
    'ended-kept': webhook({ verify: 'none' }),
    'ended-removed': webhook({ verify: 'none' }),
  },
  triggers: [{ name: 'on-answered', source: 'answered', workflow: 'returnEvent' }],
});
