// The package's root: what a nextevent.config.ts imports.

export { defineConfig } from './config/config.ts';
export type {
  Activity,
  ConfigOptions,
  TriggerOptions,
  WorkflowName,
  Workflows,
} from './config/config.ts';
export type { OutboundOptions } from './config/outbound.ts';
export type { RateLimits } from './config/rate-limits.ts';
export type { Event } from './events/event.ts';
export type { HeaderValue } from './events/listener.ts';
export type { WebhookBody, WebhookData, WebhookUrl } from './events/webhook-body.ts';
export { apiKey, basic, bearer } from './ingress/sources/credentials.ts';
export type { ApiKeyOptions, BasicOptions, BearerOptions } from './ingress/sources/credentials.ts';
export { defineSource } from './ingress/sources/define-source.ts';
export type { SourceDefinition } from './ingress/sources/define-source.ts';
export { discord } from './ingress/sources/discord.ts';
export type { DiscordOptions } from './ingress/sources/discord.ts';
export type { EventIdPlace, EventTypePlace } from './ingress/sources/event-place.ts';
export { github } from './ingress/sources/github.ts';
export type { GithubOptions } from './ingress/sources/github.ts';
export { gitlab } from './ingress/sources/gitlab.ts';
export type { GitlabOptions } from './ingress/sources/gitlab.ts';
export { hmac } from './ingress/sources/hmac.ts';
export type { HmacOptions, HmacSecretOptions, HmacTimestamp } from './ingress/sources/hmac.ts';
export { linear } from './ingress/sources/linear.ts';
export type { LinearOptions } from './ingress/sources/linear.ts';
export { meta } from './ingress/sources/meta.ts';
export type { MetaOptions } from './ingress/sources/meta.ts';
export { microsoftGraph } from './ingress/sources/microsoft-graph.ts';
export type { MicrosoftGraphOptions } from './ingress/sources/microsoft-graph.ts';
export { published } from './ingress/sources/published.ts';
export type { PublishedOptions, PublishedSource } from './ingress/sources/published.ts';
export { env } from './ingress/sources/secret.ts';
export type { EnvironmentVariable, Secret, Secrets } from './ingress/sources/secret.ts';
export { sendgrid } from './ingress/sources/sendgrid.ts';
export type { SendgridOptions } from './ingress/sources/sendgrid.ts';
export { shopify } from './ingress/sources/shopify.ts';
export type { ShopifyOptions } from './ingress/sources/shopify.ts';
export { slack } from './ingress/sources/slack.ts';
export type { SlackOptions } from './ingress/sources/slack.ts';
export type { SourceEvent } from './ingress/sources/source-event.ts';
export { RejectedError, RequestError, SigningError } from './ingress/sources/source.ts';
export type {
  Draft,
  RejectionReason,
  Reply,
  Source,
  SourceRequest,
} from './ingress/sources/source.ts';
export { standardWebhooks } from './ingress/sources/standard-webhooks.ts';
export type { StandardWebhooksOptions } from './ingress/sources/standard-webhooks.ts';
export { stripe } from './ingress/sources/stripe.ts';
export type { StripeOptions } from './ingress/sources/stripe.ts';
export { twilio } from './ingress/sources/twilio.ts';
export type { TwilioOptions } from './ingress/sources/twilio.ts';
export { webhook } from './ingress/sources/webhook.ts';
export type { WebhookOptions } from './ingress/sources/webhook.ts';
export { zoom } from './ingress/sources/zoom.ts';
export type { ZoomOptions } from './ingress/sources/zoom.ts';
export type { AllowOptions } from './outbound/addresses.ts';
export { amqp } from './outbound/amqp.ts';
export type { AmqpOptions } from './outbound/amqp.ts';
export type { ListenerOptions } from './outbound/definition.ts';
export type { Dialect } from './outbound/dialects.ts';
export { defineTransport } from './outbound/transport.ts';
export type { Answer, OutboundRequest, SendResult, Transport } from './outbound/transport.ts';
