// From an accepted event to Temporal.

import { Client, Connection, type ConnectionOptions } from '@temporalio/client';

import type { Event } from '../events/event.ts';
import type { Trigger } from '../events/trigger.ts';
import { UnavailableError } from './errors.ts';
import { Inspection } from './inspection.ts';
import { Lanes } from './lanes.ts';
import { DispatchedBefore, NO_OBSERVER, type DispatchObserver } from './observer.ts';
import { Responses, type Answer, type Respondent } from './responses.ts';
import { SourceClient } from './source-client.ts';
import { SourceDispatcher, type Dispatched } from './source-dispatcher.ts';
import { SubscriberClient } from './subscriber-client.ts';
import { continueTrace } from './trace.ts';
import { Triggers } from './triggers.ts';

export type { Answer, Respondent } from './responses.ts';
export type { Dispatched } from './source-dispatcher.ts';

/** A workflow that takes no signal for this long gets its part of the event from the backlog. */
const STUCK_MS = 2_000;

export interface Dispatcher {
  /**
   * Hands an event to everybody who wants it, and returns once that is durable.
   *
   * @throws {@link UnavailableError} if it could not be made durable: try again
   */
  dispatch(event: Event): Promise<Dispatched>;
  /** Waits for what the workflow answers to an event that it was given; `gone`: nobody waits any more. */
  answer(event: Event, respondent: Respondent, gone: AbortSignal): Promise<Answer>;
}

/** A dispatcher that is connected. */
export interface ConnectedDispatcher extends Dispatcher {
  readonly inspection: Inspection;
  close(): Promise<void>;
}

export interface DispatcherOptions {
  readonly connectionOptions: ConnectionOptions;
  readonly namespace: string;
  readonly sources: readonly string[];
  readonly triggers: readonly Trigger[];
  /**
   * Is told what happens to events: a `Telemetry` counts it.
   *
   * @default nobody is told
   */
  readonly observer?: DispatchObserver;
}

/**
 * Connects to Temporal, and reads every source once.
 *
 * @example
 * const dispatcher = await createDispatcher({
 *   connectionOptions: { address: '127.0.0.1:7233' },
 *   namespace: 'default',
 *   sources: ['orders'],
 *   triggers: [],
 * });
 */
export async function createDispatcher(options: DispatcherOptions): Promise<ConnectedDispatcher> {
  const { namespace, sources, observer = NO_OBSERVER } = options;
  const connection = await connectWithoutRetry(options.connectionOptions);
  const client = new Client({ connection, namespace });
  const deps = {
    client: new SourceClient(client),
    lanes: new Lanes(client, STUCK_MS),
    triggers: new Triggers(
      new Client({ connection, namespace, interceptors: { workflow: [continueTrace] } }),
      options.triggers,
      observer,
    ),
    observer,
  };
  const dispatchers = new Map(sources.map((name) => [name, new SourceDispatcher(name, deps)]));
  await Promise.all([...dispatchers.values()].map((dispatcher) => dispatcher.warmUp()));
  const subscribers = new SubscriberClient(client);
  const responses = new Responses(client);
  const before = new DispatchedBefore();
  return {
    inspection: new Inspection({ client: deps.client, subscribers, dispatchers }),
    async dispatch(event) {
      const dispatcher = dispatchers.get(event.source);
      if (!dispatcher) throw new UnavailableError(`${event.source} is not a source`);
      const dispatched = await dispatcher.dispatch(event);
      const { started, signalled, queued } = dispatched;
      observer.dispatched(event.source, {
        path: queued ? 'slow' : 'fast',
        started: started.length,
        signalled,
        isRepeated: before.add(event),
      });
      return dispatched;
    },
    answer: (event, respondent, gone) => responses.wait(event, respondent, gone),
    async close() {
      await Promise.all([...dispatchers.values()].map((dispatcher) => dispatcher.close()));
      await connection.close();
    },
  };
}

const CHANNEL = {
  // gRPC's own pause before it connects again grows to two minutes while Temporal is away.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  // What the SDK means to set, by a name that gRPC does not know. Its own 4 MiB are less than a page
  // of a history can have.
  'grpc.max_receive_message_length': 128 * 1024 * 1024,
};

/** The SDK's own retry begins at a second, and is fixed for a connection: this one has none. */
export function connectWithoutRetry(options: ConnectionOptions): Promise<Connection> {
  const channelArgs = { ...CHANNEL, ...options.channelArgs };
  return Connection.connect({ ...options, channelArgs, interceptors: [] });
}
