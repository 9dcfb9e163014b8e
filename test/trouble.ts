// Dispatchers that have trouble with their signals, and what a server says of it.

import { setTimeout } from 'node:timers/promises';

import type { Client, WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';

import { Lanes } from '../dispatch/lanes.ts';
import { SourceClient } from '../dispatch/source-client.ts';
import { SourceDispatcher } from '../dispatch/source-dispatcher.ts';
import { Triggers } from '../dispatch/triggers.ts';
import type { SubscriptionId } from '../events/subscription.ts';
import type { Event } from '../events/event.ts';

/** How long a workflow may take no signal. */
export const STUCK_MS = 200;

export const CODE = {
  INVALID_ARGUMENT: 3,
  NOT_FOUND: 5,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  UNAVAILABLE: 14,
};

const { RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW, RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT } =
  proto.temporal.api.enums.v1.ResourceExhaustedCause;

export interface Trouble {
  /** What comes of a signal to a workflow. */
  readonly failures?: ReadonlyMap<string, Error> | 'all';
  /** How long a signal to a workflow takes. */
  readonly slowMs?: ReadonlyMap<string, number>;
  /** Done before each attempt to signal a workflow. What it throws comes of the attempt. */
  readonly before?: (workflowId: string) => Promise<void>;
}

/** A client that has trouble with its signals to some workflows. */
export function troubled(
  client: Client,
  { failures = new Map(), slowMs = new Map(), before }: Trouble,
): Client {
  return {
    connection: client.connection,
    workflow: {
      getHandle(workflowId: string) {
        const failure = failures === 'all' ? grpcError(CODE.UNAVAILABLE) : failures.get(workflowId);
        return {
          async signal(...signal: Parameters<WorkflowHandle['signal']>) {
            if (failure !== undefined) throw failure;
            await before?.(workflowId);
            await setTimeout(slowMs.get(workflowId) ?? 0);
            await client.workflow.getHandle(workflowId).signal(...signal);
          },
        };
      },
    },
  } as unknown as Client;
}

/** A client that does this before each attempt to signal a source. What it throws comes of the attempt. */
export function withSignals(client: Client, before: (name: string) => Promise<void>): Client {
  const { workflow } = client;
  const signalWithStart: typeof workflow.signalWithStart = async (type, options) => {
    const { signal } = options;
    await before(typeof signal === 'string' ? signal : signal.name);
    return workflow.signalWithStart(type, options);
  };
  return Object.create(client, {
    workflow: { value: Object.create(workflow, { signalWithStart: { value: signalWithStart } }) },
  }) as Client;
}

function unavailable(): Promise<never> {
  return Promise.reject(grpcError(CODE.UNAVAILABLE));
}

/** A client that starts no workflow. */
export function withoutStarts(client: Client): Client {
  return Object.create(client, {
    workflow: { value: Object.create(client.workflow, { start: { value: unavailable } }) },
  }) as Client;
}

/** A dispatcher that has trouble with its signals to some workflows. */
export function dispatcherWith(
  client: Client,
  source: string,
  {
    sources = new SourceClient(client),
    triggers = new Triggers(client, []),
    stuckMs = STUCK_MS,
    ...trouble
  }: Trouble & {
    readonly sources?: SourceClient;
    readonly triggers?: Triggers;
    readonly stuckMs?: number;
  },
): SourceDispatcher {
  return new SourceDispatcher(source, {
    client: sources,
    lanes: new Lanes(troubled(client, trouble), stuckMs),
    triggers,
  });
}

/** Knows when what it has unregistered is durable: dispatchers do not wait for it. */
export class UnregisteringSource extends SourceClient {
  readonly #unregistering: Array<Promise<void>> = [];

  override unregister(
    source: string,
    ids: readonly SubscriptionId[],
    upTo?: number,
  ): Promise<void> {
    const unregistering = super.unregister(source, ids, upTo);
    this.#unregistering.push(unregistering);
    return unregistering;
  }

  async untilUnregistered(): Promise<void> {
    await Promise.all(this.#unregistering);
  }
}

export function eventOf(source: string, id: string, data: unknown = {}): Event {
  return { id, source, type: 'post', time: new Date().toISOString(), data };
}

/** The server can do no more. */
export function overloaded(): Error {
  return exhausted(RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT);
}

/** A workflow has something else to do for a moment. */
export function busy(): Error {
  return exhausted(RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW);
}

function exhausted(cause: proto.temporal.api.enums.v1.ResourceExhaustedCause): Error {
  const { ResourceExhaustedFailure } = proto.temporal.api.errordetails.v1;
  const value = ResourceExhaustedFailure.encode({ cause }).finish();
  const type = 'temporal.api.errordetails.v1.ResourceExhaustedFailure';
  return grpcError(CODE.RESOURCE_EXHAUSTED, { type, value });
}

export interface Detail {
  readonly type: string;
  readonly value: Uint8Array;
}

/** An error as the server's answer makes it. */
export function grpcError(code: number, detail?: Detail): Error {
  const details = detail && [
    { type_url: `type.googleapis.com/${detail.type}`, value: detail.value },
  ];
  const status = details && proto.google.rpc.Status.encode({ code, details }).finish();
  const metadata = {
    get: (key: string) =>
      key === 'grpc-status-details-bin' && status ? [Buffer.from(status)] : [],
  };
  return Object.assign(new Error('refused'), { code, details: 'refused', metadata });
}
