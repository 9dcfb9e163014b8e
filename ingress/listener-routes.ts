// The routes by which listeners are created, found and changed.

import { z } from 'zod';

import type { ToDefinition } from '../config/to-definition.ts';
import type { Deliveries } from '../dispatch/deliveries.ts';
import type { ListenerClient } from '../dispatch/listener-client.ts';
import type { ListenerDefinition } from '../events/listener.ts';
import { defineRoute, wholeNumber, type ApiRoute } from './api-route.ts';
import {
  givenListenerSchema,
  listedListenerSchema,
  listenerId,
  listenerParams,
  listenerSchema,
  toListed,
  toListener,
} from './listener-schemas.ts';
import { NotFoundError } from './problems.ts';
import { RequestError } from './sources/source.ts';

/** How many listeners one answer lists, if nothing else is asked for, and at the most. */
const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

const REASON_DEFAULT = 'Deactivated by an operator.';
const REASON_LENGTH_MAX = 200;

/** What the routes of listeners need. */
export interface Listeners {
  readonly client: ListenerClient;
  readonly deliveries: Deliveries;
  readonly toDefinition: ToDefinition;
}

/** What every route of listeners may answer. */
export const PROBLEMS = {
  404: 'There is no such listener, or the configuration has no `outbound`.',
  503: 'Nobody tells: no worker answers.',
};

const CONFLICTS = {
  ...PROBLEMS,
  409: 'It is removed, or one of the configuration.',
};

const changedSchema = z
  .object({
    changed: z.boolean().describe('Whether it was otherwise before.'),
    listener: listenerSchema,
  })
  .meta({ id: 'Changed' });

const listQuery = z.strictObject({
  owner: z.string().optional().describe('Only of this owner.'),
  source: z.string().optional().describe('Only those for this source.'),
  status: z
    .enum(['active', 'inactive', 'removed'])
    .optional()
    .describe('Only those; without it, all that are not removed.'),
  limit: wholeNumber(1, LIMIT_MAX).default(LIMIT_DEFAULT).describe('How many at the most.'),
  cursor: z.string().optional().describe('The `next` of the page before, of the same list.'),
});

/** @throws NotFoundError without `outbound` */
export function present(listeners: Listeners | undefined): Listeners {
  if (listeners !== undefined) return listeners;
  throw new NotFoundError('the configuration has no `outbound`');
}

/** `/listeners` and `/listeners/{id}` */
export function listenerRoutes({
  listeners,
}: {
  readonly listeners?: Listeners;
}): readonly ApiRoute[] {
  return [
    defineRoute({
      method: 'post',
      path: '/listeners',
      summary: 'Creates a listener. Events that are posted after the answer are delivered to it.',
      role: 'admin',
      body: givenListenerSchema.extend({
        id: listenerId
          .optional()
          .describe('Its id: refused if it is taken. Else made of its name.'),
      }),
      answer: listenerSchema,
      status: 201,
      problems: { ...CONFLICTS, 409: 'The id is taken.' },
      async run({ body: { id, ...given } }) {
        const { client, toDefinition } = present(listeners);
        const definition = checked(() => toDefinition(given));
        return toListener(await client.create(definition, id === undefined ? {} : { id }));
      },
    }),
    defineRoute({
      method: 'get',
      path: '/listeners',
      summary: 'The listeners, newest first. What has just changed may be listed as it was.',
      role: 'reader',
      query: listQuery,
      answer: z.object({
        listeners: z.array(listedListenerSchema),
        next: z.string().nullable().describe('The `cursor` of the next page. Null: there is none.'),
      }),
      problems: PROBLEMS,
      async run({ query: { limit, cursor, ...filter } }) {
        const next = cursor === undefined ? null : Buffer.from(cursor, 'base64url');
        const page = await present(listeners).client.list(filter, { limit, next });
        return {
          listeners: page.listeners.map(toListed),
          next: page.next && Buffer.from(page.next).toString('base64url'),
        };
      },
    }),
    defineRoute({
      method: 'get',
      path: '/listeners/{id}',
      summary: 'A listener.',
      role: 'reader',
      params: listenerParams,
      answer: listenerSchema,
      problems: PROBLEMS,
      run: async ({ params: { id } }) => toListener(await present(listeners).client.show(id)),
    }),
    ...changingRoutes(listeners),
  ];
}

function changingRoutes(listeners: Listeners | undefined): readonly ApiRoute[] {
  return [
    defineRoute({
      method: 'patch',
      path: '/listeners/{id}',
      summary: 'Changes what is given, from the next attempt on.',
      role: 'admin',
      params: listenerParams,
      body: givenListenerSchema,
      answer: changedSchema,
      problems: CONFLICTS,
      async run({ params: { id }, body }) {
        const { client, toDefinition } = present(listeners);
        const changed = await client.change(id, (definition) =>
          checked(() => toDefinition(body, definition)),
        );
        return toChanged(changed);
      },
    }),
    defineRoute({
      method: 'delete',
      path: '/listeners/{id}',
      summary: 'Removes a listener for good. What is pending fails; what was delivered stays.',
      role: 'admin',
      params: listenerParams,
      answer: changedSchema,
      problems: CONFLICTS,
      run: async ({ params: { id } }) => toChanged(await present(listeners).client.remove(id)),
    }),
    defineRoute({
      method: 'post',
      path: '/listeners/{id}/activate',
      summary: 'Activates a listener: what is pending goes on, and failures count from none.',
      role: 'admin',
      params: listenerParams,
      answer: changedSchema,
      problems: CONFLICTS,
      run: async ({ params: { id } }) => toChanged(await present(listeners).client.activate(id)),
    }),
    defineRoute({
      method: 'post',
      path: '/listeners/{id}/deactivate',
      summary: 'Deactivates a listener: what is pending stays, and what comes is skipped.',
      role: 'admin',
      params: listenerParams,
      query: z.strictObject({
        reason: z.string().min(1).max(REASON_LENGTH_MAX).default(REASON_DEFAULT),
      }),
      answer: changedSchema,
      problems: CONFLICTS,
      run: async ({ params: { id }, query: { reason } }) =>
        toChanged(await present(listeners).client.deactivate(id, reason)),
    }),
  ];
}

function toChanged({
  changed,
  listener,
}: Awaited<ReturnType<ListenerClient['activate']>>): z.input<typeof changedSchema> {
  return { changed, listener: toListener(listener) };
}

/** What is wrong with a definition is the asker's to mend. */
function checked(toDefinition: () => ListenerDefinition): ListenerDefinition {
  try {
    return toDefinition();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ListenerError') throw error;
    throw new RequestError(error.message, { cause: error });
  }
}
