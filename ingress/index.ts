// PUBLIC: what a program imports from `nextevent/ingress` that takes webhooks in an Express
// application of its own. `createApp` says how.

export { loadApiKeys, type ApiKey, type Role } from '../config/api-keys.ts';
export type { Config } from '../config/config.ts';
export { ConfigError } from '../config/errors.ts';
export { createLog, type Log, type LogEntry, type LogLevel } from '../config/log.ts';
export { loadConfig } from '../config/load.ts';
export type { RateLimits } from '../config/rate-limits.ts';
export {
  createDispatcher,
  type Dispatched,
  type Dispatcher,
  type DispatcherOptions,
} from '../dispatch/dispatcher.ts';
export type { DispatchedEvent, DispatchObserver, MatchPass } from '../dispatch/observer.ts';
export { UnavailableError } from '../dispatch/errors.ts';
export { SOURCE_TASK_QUEUE } from '../workflows/messages.ts';
export { createApp, createServer, type AppDeps } from './app.ts';
export type { Ready } from './health.ts';
export { createReadiness, type ReadinessOptions } from './readiness.ts';
export type { Rejection, RejectedFor } from './rejections.ts';
export { Telemetry, type IngressObserver, type RejectedRequest } from './telemetry.ts';
