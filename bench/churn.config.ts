// The project that the processes of `npm run bench -- churn` run.

import { defineConfig, webhook } from '../nextevent.ts';
import { postEvent } from './churn/post.ts';

export default defineConfig({
  workflowsPath: './churn/workflows.ts',
  activities: { postEvent },
  taskQueue: 'churn',
  sources: { churn: webhook({ verify: 'none' }) },
});
