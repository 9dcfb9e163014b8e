// Makes the static listeners what the deployed configuration says.

import { UnknownListenerError, ListenerConflictError } from '../dispatch/errors.ts';
import type { ListenerClient } from '../dispatch/listener-client.ts';
import type { ListenerDefinition } from '../events/listener.ts';
import { refusing } from './refusing.ts';

export interface DeploymentDeps {
  readonly client: ListenerClient;
}

export function createDeploymentActivities({ client }: DeploymentDeps) {
  return {
    /** Gives its id. It has subscribed; the same again is the same listener. */
    async nexteventCreateStatic(
      definition: ListenerDefinition,
      createdBy: string,
    ): Promise<string> {
      const options = { isStatic: true, createdBy };
      return (await refusing(() => client.create(definition, options))).id;
    },

    /** What is pending goes on. One that somebody has removed is gone already. */
    async nexteventRetireStatic(id: string, statusMessage: string): Promise<void> {
      try {
        await client.retire(id, statusMessage);
      } catch (error) {
        const isGone =
          error instanceof UnknownListenerError || error instanceof ListenerConflictError;
        if (!isGone) throw error;
      }
    },
  };
}
