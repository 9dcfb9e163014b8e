// The same project as in `deployed.config.ts`, later: its workflows are elsewhere, a source is
// new, and two are gone.

import { defineConfig, webhook } from '../nextevent.ts';

export default defineConfig({
  workflowsPath: './workflows/redeployed.ts',
  taskQueue: 'deployed',
  sources: {
    added: webhook({ verify: 'none' }),
    'also-kept': webhook({ verify: 'none' }),
    kept: webhook({ verify: 'none' }),
    'ended-kept': webhook({ verify: 'none' }),
  },
});
