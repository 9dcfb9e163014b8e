// The project whose worker `listener-kill.test.ts` kills.

import { defineConfig, defineTransport, webhook } from '../nextevent.ts';

/** Asks before it sends, so that a test can kill the worker between the two. */
const gated = defineTransport({
  async send({ url, body, signal }) {
    await fetch(`${url}/may-i`, { method: 'POST', signal });
    const { status } = await fetch(url, { method: 'POST', body: new Uint8Array(body), signal });
    return { isSuccessful: status === 200, message: String(status) };
  },
});

export default defineConfig({
  workflowsPath: './workflows/index.ts',
  taskQueue: 'listener-kill',
  sources: {
    'before-send': webhook({ verify: 'none' }),
    'before-record': webhook({ verify: 'none' }),
    often: webhook({ verify: 'none' }),
  },
  outbound: {
    secrets: { KEY: `whsec_${Buffer.alloc(32, 'k').toString('base64')}` },
    transports: { gated },
    allow: { http: true, addresses: ['127.0.0.0/8'], ports: 'any' },
  },
});
