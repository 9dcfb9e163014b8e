// The project that the worker of `large-fan-out.test.ts` runs, which is killed.

import { defineConfig, webhook } from '../nextevent.ts';

export default defineConfig({
  workflowsPath: './workflows/index.ts',
  taskQueue: 'fan-out',
  sources: { masses: webhook({ verify: 'none' }), aside: webhook({ verify: 'none' }) },
});
