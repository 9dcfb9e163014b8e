// Listeners in tests: made by what they are started with, and asked what has become of them.

import { randomUUID } from 'node:crypto';

import type { Client, WorkflowHandle } from '@temporalio/client';

import type { OutboundOptions } from '../config/outbound.ts';
import type { Delivery, ListenerDefinition } from '../events/listener.ts';
import {
  activateListenerUpdate,
  changeListenerUpdate,
  deactivateListenerUpdate,
  deliveriesQuery,
  deliveryWorkflowId,
  LISTENER_WORKFLOW_TYPE,
  listenerQuery,
  listenerReadyUpdate,
  listenerTaskQueue,
  listenerWorkflowId,
  redeliverUpdate,
  removeListenerUpdate,
  retireListenerUpdate,
  type Changed,
  type ListenerInput,
  type ListenerView,
} from '../workflows/listener-messages.ts';
import { until, type TestApp } from './harness.ts';

/** Listeners may deliver to receivers on this machine. */
export const TO_THIS_MACHINE: OutboundOptions = {
  allow: { http: true, addresses: ['127.0.0.0/8'], ports: 'any' },
};

/** A definition that is complete: with a source and a url. */
export type Wanted = Partial<ListenerDefinition> & Pick<ListenerDefinition, 'sources' | 'url'>;

export function toDefinition(wanted: Wanted): ListenerDefinition {
  return {
    name: 'test',
    type: 'webhook',
    filter: '',
    method: 'POST',
    headers: {},
    dialect: 'cloudevents',
    signing: [],
    ordered: false,
    concurrency: 10,
    timeoutMs: 5_000,
    retryMs: [100, 100, 100],
    failuresMax: 50,
    ...wanted,
  };
}

export class TestListener {
  readonly id: string;
  readonly definition: ListenerDefinition;
  readonly handle: WorkflowHandle;
  readonly #client: Client;

  constructor(client: Client, id: string, definition: ListenerDefinition) {
    this.#client = client;
    this.id = id;
    this.definition = definition;
    this.handle = client.workflow.getHandle(listenerWorkflowId(id));
  }

  view(): Promise<ListenerView> {
    return this.handle.query(listenerQuery);
  }

  deliveries(): Promise<readonly Delivery[]> {
    return this.handle.query(deliveriesQuery);
  }

  ready(): Promise<ListenerView> {
    return this.handle.executeUpdate(listenerReadyUpdate);
  }

  change(changes: Partial<ListenerDefinition>): Promise<Changed> {
    const changed = { ...this.definition, ...changes };
    return this.handle.executeUpdate(changeListenerUpdate, { args: [changed, undefined] });
  }

  activate(): Promise<Changed> {
    return this.handle.executeUpdate(activateListenerUpdate);
  }

  deactivate(statusMessage: string): Promise<Changed> {
    return this.handle.executeUpdate(deactivateListenerUpdate, { args: [statusMessage] });
  }

  retire(statusMessage: string): Promise<Changed> {
    return this.handle.executeUpdate(retireListenerUpdate, { args: [statusMessage] });
  }

  remove(): Promise<Changed> {
    return this.handle.executeUpdate(removeListenerUpdate);
  }

  redeliver(...numbers: number[]): Promise<readonly number[]> {
    return this.handle.executeUpdate(redeliverUpdate, { args: [numbers] });
  }

  /** Waits until so many deliveries have this status, and gives them. */
  untilDelivered(status: Delivery['status'], count = 1): Promise<readonly Delivery[]> {
    return until(`${this.id} has ${count} ${status} deliveries`, async () => {
      const all = await this.deliveries().catch(() => []);
      const found = all.filter((delivery) => delivery.status === status);
      return found.length >= count && found;
    });
  }

  /** The workflow of a delivery, once it is there: the listener goes on before. */
  async stored(number: number): Promise<WorkflowHandle> {
    const handle = this.#client.workflow.getHandle(deliveryWorkflowId(this.id, number));
    await until(`delivery ${number} of ${this.id} is stored`, () =>
      handle.describe().catch(() => undefined),
    );
    return handle;
  }
}

/** Starts a listener, and waits until it has subscribed. */
export async function startListener(
  app: Pick<TestApp, 'client' | 'taskQueue'>,
  wanted: Wanted,
  input: Partial<ListenerInput> = {},
): Promise<TestListener> {
  const listener = await beginListener(app, wanted, input);
  await listener.ready();
  return listener;
}

/** Starts a listener, and waits for nothing. */
export async function beginListener(
  { client, taskQueue }: Pick<TestApp, 'client' | 'taskQueue'>,
  wanted: Wanted,
  input: Partial<ListenerInput> = {},
): Promise<TestListener> {
  const id = input.id ?? `test-${randomUUID()}`;
  const definition = toDefinition(wanted);
  const memo = {
    definition,
    status: 'active',
    statusMessage: 'Active',
    createdAt: new Date().toISOString(),
    isStatic: false,
  } as const;
  await client.workflow.start(LISTENER_WORKFLOW_TYPE, {
    workflowId: listenerWorkflowId(id),
    taskQueue: listenerTaskQueue(taskQueue),
    args: [{ id, memo, ...input } satisfies ListenerInput],
    memo,
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
  });
  return new TestListener(client, id, definition);
}

/** Whoever changes a listener is answered after ten seconds, too. */
export async function untilWithdrawn(handle: WorkflowHandle): Promise<void> {
  await until('what it had before is withdrawn', async () => {
    const { pendingActivities } = (await handle.describe()).raw;
    const names = pendingActivities?.map(({ activityType }) => activityType?.name);
    return names?.includes('nexteventWithdraw') === false;
  });
}
