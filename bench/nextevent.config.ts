import { defineConfig, webhook } from 'nextevent';

import { resumed } from './resumed.ts';
import { signalBareSource } from './signal-bare-source.ts';

const SOURCES = [
  'bench',
  'crowded',
  'throughput',
  'one',
  'some',
  'masses',
  'aside',
  'idle',
  'many',
];

export default defineConfig({
  workflowsPath: './all-workflows.ts',
  activities: { resumed, signalBareSource },
  taskQueue: 'bench',
  sources: Object.fromEntries(SOURCES.map((name) => [name, webhook({ verify: 'none' })])),
});
