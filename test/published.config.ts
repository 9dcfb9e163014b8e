// The project that the processes of `api-keys.test.ts` run.

import { defineConfig, published } from '../nextevent.ts';

export default defineConfig({
  workflowsPath: './workflows/index.ts',
  taskQueue: 'published',
  sources: { orders: published() },
});
