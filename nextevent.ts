// The package's root: what a nextevent.config.ts imports.

export { defineConfig } from './config/config.ts';
export type {
  Activity,
  ConfigOptions,
  TriggerOptions,
  WorkflowName,
  Workflows,
} from './config/config.ts';
export type { RateLimits } from './config/rate-limits.ts';
export type { Event } from './events/event.ts';
export type { WebhookBody, WebhookData, WebhookUrl } from './events/webhook-body.ts';
export { published } from './ingress/sources/published.ts';
export type { PublishedOptions, PublishedSource } from './ingress/sources/published.ts';
export type { Source, SourceRequest } from './ingress/sources/source.ts';
export { webhook } from './ingress/sources/webhook.ts';
export type { EventIdPlace, WebhookOptions } from './ingress/sources/webhook.ts';
