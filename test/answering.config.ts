// A project whose workflow answers, and which takes few requests.

import { defineConfig, webhook } from '../nextevent.ts';

import type * as workflows from './workflows/responding.ts';

export default defineConfig<typeof workflows>({
  workflowsPath: './workflows/responding.ts',
  sources: { asked: webhook({ verify: 'none' }), limited: webhook({ verify: 'none' }) },
  triggers: [
    {
      name: 'on-asked',
      source: 'asked',
      workflow: 'respondAtOnce',
      respond: { timeoutMs: 60_000 },
    },
  ],
  rateLimits: { perSource: 1 },
});
