// The project that the ingress of the random requests runs: a source of every way to take one.

import {
  bearer,
  defineConfig,
  env,
  github,
  gitlab,
  hmac,
  meta,
  microsoftGraph,
  published,
  sendgrid,
  slack,
  stripe,
  twilio,
  webhook,
} from '../nextevent.ts';
import { orders } from './own-handler.ts';

const secret = 'known to the sender';

export default defineConfig({
  workflowsPath: './workflows/index.ts',
  taskQueue: 'random',
  sources: {
    open: webhook({ verify: 'none' }),
    named: webhook({ verify: 'none', eventId: { json: 'id' } }),
    orders,
    github: github({ secret }),
    gitlab: gitlab({ token: secret }),
    stripe: stripe({ secret }),
    slack: slack({ secret }),
    sendgrid: sendgrid({ verify: 'none' }),
    twilio: twilio({ authToken: secret, url: 'https://example.com/webhooks/twilio' }),
    meta: meta({ secret, verifyToken: 'verify' }),
    graph: microsoftGraph({ clientState: secret }),
    hmac: hmac({ secret, header: 'x-signature', encoding: 'hex', eventType: { json: 'type' } }),
    bearer: bearer({ token: secret }),
    off: github({ secret: env('NEXTEVENT_TEST_UNSET') }),
    told: published({ allowedOrigins: ['example.com'] }),
  },
  triggers: [
    {
      name: 'on-normal',
      source: 'open',
      filter: "data.body.json.normal == 'yes'",
      workflow: 'returnEvent',
    },
  ],
});
