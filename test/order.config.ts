// The project that the ingresses of `order.test.ts` run.

import { defineConfig, webhook } from '../nextevent.ts';

export default defineConfig({
  workflowsPath: './workflows/index.ts',
  sources: {
    alternating: webhook({ verify: 'none' }),
    overtaking: webhook({ verify: 'none' }),
    returning: webhook({ verify: 'none' }),
  },
});
