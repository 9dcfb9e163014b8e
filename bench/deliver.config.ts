// The project that the processes of `npm run bench -- deliver` run.

import { defineConfig, webhook } from '../nextevent.ts';
import { postEvent } from './deliver/post.ts';

export default defineConfig({
  workflowsPath: './deliver/workflows.ts',
  activities: { postEvent },
  taskQueue: 'deliver',
  sources: { deliver: webhook({ verify: 'none' }) },
  outbound: {
    secrets: { KEY: `whsec_${Buffer.alloc(32, 'k').toString('base64')}` },
    allow: { http: true, addresses: ['127.0.0.0/8'], ports: 'any' },
  },
});
