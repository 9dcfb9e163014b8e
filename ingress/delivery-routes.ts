// The routes by which operators see what was delivered, and have it delivered again.

import { z } from 'zod';

import { defineRoute, wholeNumber, type ApiRoute } from './api-route.ts';
import { PROBLEMS, present, type Listeners } from './listener-routes.ts';
import {
  attemptParams,
  attemptSchema,
  deliveryParams,
  deliverySchema,
  listenerParams,
  toAttempt,
  toDelivery,
} from './listener-schemas.ts';

/** How many deliveries one answer lists, if nothing else is asked for, and at the most. */
const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

const status = z.enum(['pending', 'successful', 'failed', 'skipped']);

const DELIVERY_PROBLEMS = { ...PROBLEMS, 404: 'There is no such listener or delivery.' };

const redelivered = z.object({
  deliveries: z.array(z.int()).describe('The numbers of the new ones.'),
});

/** `/listeners/{id}/deliveries` and below */
export function deliveryRoutes({
  listeners,
}: {
  readonly listeners?: Listeners;
}): readonly ApiRoute[] {
  return [...readRoutes(listeners), ...redeliverRoutes(listeners)];
}

function readRoutes(listeners: Listeners | undefined): readonly ApiRoute[] {
  return [
    defineRoute({
      method: 'get',
      path: '/listeners/{id}/deliveries',
      summary: 'What is pending, and the newest 100 that are not, newest first.',
      role: 'reader',
      params: listenerParams,
      query: z.strictObject({
        status: status.optional().describe('Only those.'),
        limit: wholeNumber(1, LIMIT_MAX).default(LIMIT_DEFAULT).describe('How many at the most.'),
        cursor: wholeNumber(1, Number.MAX_SAFE_INTEGER)
          .optional()
          .describe('The `next` of the page before, of the same list.'),
      }),
      answer: z.object({
        deliveries: z.array(deliverySchema),
        next: z.string().nullable().describe('The `cursor` of the next page. Null: there is none.'),
      }),
      problems: PROBLEMS,
      async run({ params: { id }, query }) {
        const page = await present(listeners).deliveries.list(id, {
          status: query.status,
          limit: query.limit,
          before: query.cursor,
        });
        return {
          deliveries: page.deliveries.map((delivery) => toDelivery(id, delivery)),
          next: page.next === null ? null : String(page.next),
        };
      },
    }),
    defineRoute({
      method: 'get',
      path: '/listeners/{id}/deliveries/{number}',
      summary: 'A delivery.',
      role: 'reader',
      params: deliveryParams,
      answer: deliverySchema,
      problems: DELIVERY_PROBLEMS,
      run: async ({ params: { id, number } }) =>
        toDelivery(id, await present(listeners).deliveries.find(id, number)),
    }),
    defineRoute({
      method: 'get',
      path: '/listeners/{id}/deliveries/{number}/attempts/{attempt}',
      summary: 'An attempt: what was sent, and what was answered.',
      role: 'reader',
      params: attemptParams,
      answer: attemptSchema,
      problems: { ...PROBLEMS, 404: 'There is no such listener, delivery or attempt.' },
      async run({ params }) {
        const { id, number, attempt } = params;
        return toAttempt(params, await present(listeners).deliveries.attempt(id, number, attempt));
      },
    }),
  ];
}

function redeliverRoutes(listeners: Listeners | undefined): readonly ApiRoute[] {
  return [
    defineRoute({
      method: 'post',
      path: '/listeners/{id}/deliveries/{number}/redeliver',
      summary: 'Delivers an event once more, as a delivery of its own.',
      role: 'admin',
      params: deliveryParams,
      answer: deliverySchema,
      status: 201,
      problems: { ...DELIVERY_PROBLEMS, 409: 'It is pending, or the listener is not active.' },
      async run({ params: { id, number } }) {
        const { deliveries } = present(listeners);
        return toDelivery(id, await deliveries.find(id, await deliveries.redeliver(id, number)));
      },
    }),
    defineRoute({
      method: 'post',
      path: '/listeners/{id}/redeliver',
      summary: 'Delivers what failed or was skipped since a time once more, oldest first.',
      role: 'admin',
      params: listenerParams,
      body: z.strictObject({
        since: z.iso.datetime({ offset: true }).describe('When it had failed, or was skipped.'),
        status: z
          .array(z.enum(['failed', 'skipped']))
          .min(1)
          .default(['failed', 'skipped']),
      }),
      answer: redelivered,
      problems: { ...PROBLEMS, 409: 'The listener is not active, or it is too much at once.' },
      async run({ params: { id }, body: { since, status: statuses } }) {
        const asked = { since: new Date(since), statuses };
        return { deliveries: [...(await present(listeners).deliveries.redeliverAll(id, asked))] };
      },
    }),
  ];
}
