// `nextevent/testing`: for tests of a project, with any test runner, on a real Temporal server.

export { ConfigError } from '../config/errors.ts';
export { SigningError } from '../ingress/sources/source.ts';
export { startTestApp, TestApp } from './app.ts';
export type { SendOptions, TestAppOptions } from './app.ts';
export type { WaitForPendingDeliveriesOptions } from './deliveries.ts';
export { NotAcceptedError, ReplayFailedError, WaitError } from './errors.ts';
export { recordHistory, replayHistories } from './histories.ts';
export type { RecordedHistory, RecordedHistoryEvent, ReplayHistoriesOptions } from './histories.ts';
export type { Answer, EventToPublish, TestIngress } from './ingress.ts';
export type { MockDeliveryOptions, MockedReceiver, ReceivedRequest } from './mock-receivers.ts';
export { quietRuntime, startTestServer } from './server.ts';
export type { TestServer } from './server.ts';
export type { HeldSubscription, WaitForSubscriptionsOptions } from './subscriptions.ts';
export { until } from './until.ts';
export type { UntilOptions } from './until.ts';
