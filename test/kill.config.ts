// The project that the processes of `kill.test.ts` run.

import { defineConfig, webhook } from '../nextevent.ts';

export default defineConfig({
  workflowsPath: './workflows/index.ts',
  taskQueue: 'kill',
  sources: {
    worker: webhook({ verify: 'none' }),
    ingress: webhook({ verify: 'none' }),
    server: webhook({ verify: 'none' }),
  },
  triggers: [
    { name: 'on-ingress', source: 'ingress', workflow: 'returnEvent' },
    { name: 'on-server', source: 'server', workflow: 'returnEvent' },
  ],
});
