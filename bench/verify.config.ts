import { defineConfig, github, stripe, webhook } from 'nextevent';

import { VERIFY_SECRET } from './verify-secret.ts';

export default defineConfig({
  workflowsPath: './workflows.ts',
  taskQueue: 'bench',
  sources: {
    github: github({ secret: VERIFY_SECRET }),
    stripe: stripe({ secret: VERIFY_SECRET }),
    open: webhook({ verify: 'none' }),
  },
});
