// Creates and changes listeners, on behalf of a workflow.

import { createHash } from 'node:crypto';

import { ApplicationFailure } from '@temporalio/common';

import type { ToDefinition } from '../config/to-definition.ts';
import type { ListenerClient } from '../dispatch/listener-client.ts';
import { refusing } from './refusing.ts';

/** How much of a hash tells the listeners of one name apart. */
const HASH_LENGTH = 12;

export interface ListenerDeps {
  readonly client: ListenerClient;
  /** None if the configuration has no `outbound`. */
  readonly toDefinition: ToDefinition | undefined;
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
      refusing(async () => {
        const definition = present(toDefinition)(options);
        const hash = createHash('sha256').update(key).digest('hex').slice(0, HASH_LENGTH);
        const id = `${definition.name}-${hash}`;
        await client.create(definition, { id, createdBy: key });
        return id;
      }),

    nexteventChangeListener: (id: string, options: object): Promise<boolean> =>
      refusing(async () => {
        const toChanged = present(toDefinition);
        return (await client.change(id, (definition) => toChanged(options, definition))).changed;
      }),

    nexteventActivateListener: (id: string): Promise<boolean> =>
      refusing(async () => (await client.activate(id)).changed),

    nexteventDeactivateListener: (id: string, reason: string): Promise<boolean> =>
      refusing(async () => (await client.deactivate(id, reason)).changed),

    nexteventRemoveListener: (id: string): Promise<boolean> =>
      refusing(async () => (await client.remove(id)).changed),
  };
}

function present(toDefinition: ToDefinition | undefined): ToDefinition {
  if (toDefinition !== undefined) return toDefinition;
  throw ApplicationFailure.nonRetryable('the configuration has no `outbound`', 'ListenerError');
}
