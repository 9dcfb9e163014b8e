// Makes the static listeners what the deployed configuration says.

import { UnknownListenerError, ListenerConflictError } from '../dispatch/errors.ts';
import type { ListenerClient } from '../dispatch/listener-client.ts';
import { sideBySide } from '../dispatch/side-by-side.ts';
import type { ListenerDefinition } from '../events/listener.ts';
import { refusing } from './refusing.ts';

/** How many listeners are asked for at once. */
const AT_ONCE = 16;

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

    /** Which of these somebody has ended without removing them. */
    async nexteventFindLost(ids: readonly string[]): Promise<readonly string[]> {
      const lost: string[] = [];
      await sideBySide(ids, AT_ONCE, async (id) => {
        if (await client.isLost(id)) lost.push(id);
      });
      return lost;
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
