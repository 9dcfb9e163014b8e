import { defineConfig, webhook } from 'nextevent';

import { resumed } from './resumed.ts';

export default defineConfig({
  workflowsPath: './workflows.ts',
  activities: { resumed },
  taskQueue: 'bench',
  sources: { bench: webhook({ verify: 'none' }) },
});
