// The routes by which operators see the sources, and who waits for what.

import { z } from 'zod';

import { defineRoute, wholeNumber, type ApiRoute } from './api-route.ts';
import type { ApiDeps } from './api.ts';
import { NotFoundError } from './problems.ts';
import { isPublished } from './sources/published.ts';
import { pageOf } from './subscription-pages.ts';

/** How many subscriptions one answer lists, if nothing else is asked for, and at the most. */
const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

const count = z.int().min(0);

const sourceSchema = z
  .object({
    name: z.string(),
    kind: z.string().describe('What it is: `webhook`, `published`.'),
    off: z
      .array(z.string())
      .optional()
      .describe('The environment variables without which it takes nothing.'),
    path: z.string().describe('Where its events are sent to.'),
    status: z
      .enum(['unused', 'running', 'recovering', 'ended'])
      .describe('`unused`: nobody has subscribed yet. `ended`: the next event starts it again.'),
    subscriptions: count,
    suspended: count.describe('How many subscriptions of full workflows take no events.'),
    backlog: count.describe('How many events wait to be dispatched.'),
    oldestSince: z.iso
      .datetime()
      .nullable()
      .describe('Since when the oldest of them has waited. Null: none does, or it is not known.'),
    hasRoom: z.boolean().describe('Whether the backlog takes more.'),
    isPending: z.boolean().describe('Whether something has changed that no worker has seen yet.'),
    pendingSince: z.iso.datetime().nullable().describe('Since when. Null: nothing has.'),
    version: count,
    segments: count.describe('How many parts of what it holds are in workflows of their own.'),
    stateBytes: count.describe('About how much its subscriptions take, in bytes.'),
  })
  .meta({ id: 'Source' });

const subscriptionSchema = z
  .object({
    id: z.string(),
    source: z.string(),
    filter: z.string().describe('Empty: every event.'),
    workflowId: z.string(),
    since: z.iso.datetime().nullable().describe('When it was registered, if that is known.'),
    received: count.nullable().describe('How many events have come for it. Null: no answer.'),
    unread: count.nullable().describe('How many of them nobody has read. Null: no answer.'),
    suspended: z.boolean().describe("Its workflow's run takes no more events."),
    undeliverable: count.describe('How many events it did not get because of that.'),
    lastError: z
      .object({ eventId: z.string(), error: z.string(), at: z.iso.datetime(), count })
      .nullable()
      .describe('The last event that its filter could not be evaluated on, in this process.'),
  })
  .meta({ id: 'Subscription' });

const subscriptionsSchema = z.object({
  source: z.string().optional().describe('The one that was asked for.'),
  subscriptions: z.array(subscriptionSchema),
  next: z.string().nullable().describe('The `cursor` of the next page. Null: there is none.'),
});

const subscriptionsQuery = z.strictObject({
  source: z.string().optional().describe('Only of this source.'),
  limit: wholeNumber(1, LIMIT_MAX).default(LIMIT_DEFAULT).describe('How many at the most.'),
  cursor: z.string().optional().describe('The `next` of the page before, of the same list.'),
});

/** `GET /sources` and `GET /subscriptions`. */
export function inspectionRoutes(deps: ApiDeps): readonly ApiRoute[] {
  return [
    defineRoute({
      method: 'get',
      path: '/sources',
      summary: 'The sources, and how they are.',
      role: 'reader',
      answer: z.object({ sources: z.array(sourceSchema) }),
      run: () => sourcesOf(deps),
    }),
    defineRoute({
      method: 'get',
      path: '/subscriptions',
      summary: 'Who waits for what, oldest first.',
      role: 'reader',
      query: subscriptionsQuery,
      answer: subscriptionsSchema,
      problems: {
        404: 'There is no such source, or no such page.',
        503: 'Nobody tells: no worker answers.',
      },
      run: ({ query }) => subscriptionsOf(deps, query),
    }),
  ];
}

async function sourcesOf({ sources, inspection }: ApiDeps) {
  const listed = [...sources].map(async ([name, source]) => ({
    kind: source.kind,
    ...(source.missing.length > 0 && { off: [...source.missing] }),
    path: isPublished(source) ? `/events/${name}` : `/webhooks/${name}`,
    ...(await inspection.source(name)),
  }));
  return { sources: await Promise.all(listed) };
}

async function subscriptionsOf(
  { sources, inspection }: ApiDeps,
  { source, limit, cursor }: z.output<typeof subscriptionsQuery>,
) {
  if (source === undefined) return pageOf(inspection, [...sources.keys()], { limit, cursor });
  if (!sources.has(source)) throw new NotFoundError(`there is no source ${JSON.stringify(source)}`);
  return { source, ...(await pageOf(inspection, [source], { limit, cursor })) };
}
