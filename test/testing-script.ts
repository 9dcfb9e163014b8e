// A program that tests a project with no test runner, and ends by itself. Run by a test.

import { fileURLToPath } from 'node:url';

import { webhook } from 'nextevent';
import { startTestApp, startTestServer } from 'nextevent/testing';

const server = await startTestServer();
const app = await startTestApp(server, {
  workflowsPath: fileURLToPath(new URL('workflows/plugged.ts', import.meta.url)),
  sources: { one: webhook({ verify: 'none' }) },
});
await (await app.start('subscribeOnly', 'one')).result();
await app.stop();
await server.stop();
console.log('stopped');
