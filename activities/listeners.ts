// Creates and changes listeners, on behalf of a workflow.

import { createHash } from 'node:crypto';

import { ApplicationFailure } from '@temporalio/common';

import type { ListenerClient } from '../dispatch/listener-client.ts';
import type { ListenerDefinition } from '../events/listener.ts';

/** How much of a hash tells the listeners of one name apart. */
const HASH_LENGTH = 12;

/** Errors that no retry cures: they become the failure of the workflow's call. */
const FINAL: ReadonlySet<string> = new Set([
  'ListenerError',
  'UnknownListenerError',
  'ListenerConflictError',
]);

export interface ListenerDeps {
  /** None if the configuration has no `outbound`. */
  readonly client: ListenerClient | undefined;
  /**
   * What somebody says of a listener, on top of what it was, as a definition.
   *
   * @throws ListenerError
   */
  readonly toDefinition: (given: object, before?: ListenerDefinition) => ListenerDefinition;
}

/** A listener to create. */
export interface CreateListenerRequest {
  readonly options: object;
  /** The same for the same call of the workflow. */
  readonly key: string;
}

export function createListenerActivities({ client, toDefinition }: ListenerDeps) {
  return {
    /** Gives its id. It has subscribed; the same again is the same listener. */
    nexteventCreateListener: ({ options, key }: CreateListenerRequest): Promise<string> =>
      refusing(async (listeners) => {
        const definition = toDefinition(options);
        const hash = createHash('sha256').update(key).digest('hex').slice(0, HASH_LENGTH);
        const id = `${definition.name}-${hash}`;
        await listeners.create(definition, { id, createdBy: key });
        return id;
      }),

    nexteventChangeListener: (id: string, options: object): Promise<boolean> =>
      refusing(async (listeners) => {
        const { definition } = await listeners.find(id);
        return (await listeners.change(id, toDefinition(options, definition))).changed;
      }),

    nexteventActivateListener: (id: string): Promise<boolean> =>
      refusing(async (listeners) => (await listeners.activate(id)).changed),

    nexteventDeactivateListener: (id: string, reason: string): Promise<boolean> =>
      refusing(async (listeners) => (await listeners.deactivate(id, reason)).changed),

    nexteventRemoveListener: (id: string): Promise<boolean> =>
      refusing(async (listeners) => (await listeners.remove(id)).changed),
  };

  async function refusing<T>(call: (listeners: ListenerClient) => Promise<T>): Promise<T> {
    try {
      if (client !== undefined) return await call(client);
    } catch (error) {
      if (!(error instanceof Error) || !FINAL.has(error.name)) throw error;
      const { message, name: type } = error;
      throw ApplicationFailure.create({ message, type, nonRetryable: true });
    }
    throw ApplicationFailure.nonRetryable('the configuration has no `outbound`', 'ListenerError');
  }
}
