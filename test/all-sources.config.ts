// The configuration of docs/sources.md: a line for each provider.

import {
  defineConfig,
  discord,
  env,
  github,
  gitlab,
  linear,
  meta,
  microsoftGraph,
  sendgrid,
  shopify,
  slack,
  standardWebhooks,
  stripe,
  twilio,
  zoom,
} from 'nextevent';

export default defineConfig({
  workflowsPath: './workflows/index.ts',
  sources: {
    github: github({ secret: env('GITHUB_WEBHOOK_SECRET') }),
    gitlab: gitlab({ secret: env('GITLAB_SIGNING_TOKEN') }),
    stripe: stripe({ secret: env('STRIPE_WEBHOOK_SECRET') }),
    slack: slack({ secret: env('SLACK_SIGNING_SECRET') }),
    shopify: shopify({ secret: env('SHOPIFY_CLIENT_SECRET') }),
    clerk: standardWebhooks({ secret: env('CLERK_WEBHOOK_SECRET') }),
    twilio: twilio({ authToken: env('TWILIO_AUTH_TOKEN'), url: env('TWILIO_WEBHOOK_URL') }),
    linear: linear({ secret: env('LINEAR_WEBHOOK_SECRET') }),
    discord: discord({ publicKey: env('DISCORD_PUBLIC_KEY') }),
    sendgrid: sendgrid({ publicKey: env('SENDGRID_PUBLIC_KEY') }),
    zoom: zoom({ secret: env('ZOOM_SECRET_TOKEN') }),
    meta: meta({ secret: env('META_APP_SECRET'), verifyToken: env('META_VERIFY_TOKEN') }),
    graph: microsoftGraph({ clientState: env('GRAPH_CLIENT_STATE') }),
  },
});
