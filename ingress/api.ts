// The management API, for operators: it listens on this machine only, on a port of its own.

import express, { Router, type Express, type Request } from 'express';

import type { Inspection, SubscriptionStatus } from '../dispatch/inspection.ts';
import { answerFilters } from './filters-api.ts';
import { answerProblems, ForbiddenError, NoAnswerError, NotFoundError } from './problems.ts';
import { RequestError, type Source } from './sources/source.ts';

/** How many subscriptions one answer lists, if nothing else is asked for, and at the most. */
const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

/** The names of this machine. A page in a browser that uses another one is not let in. */
const LOCAL_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

export interface ApiDeps {
  readonly sources: ReadonlyMap<string, Source>;
  readonly inspection: Inspection;
  readonly log: (line: string) => void;
}

/**
 * `GET /api/v1/sources`, `GET /api/v1/subscriptions?source=&limit=&cursor=`,
 * `POST /api/v1/filters/check` and `POST /api/v1/filters/test`.
 */
export function createApi(deps: ApiDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use((request, response, next) => {
    if (!LOCAL_HOST.test(request.headers.host ?? '')) {
      throw new ForbiddenError('the management API answers to localhost only');
    }
    response.set('Cache-Control', 'no-store');
    next();
  });
  app.use('/api/v1', answerInspection(deps), answerFilters());
  app.use(() => {
    throw new NotFoundError('there is nothing here; the API is at /api/v1');
  });
  app.use(answerProblems(deps.log));
  return app;
}

function answerInspection({ sources, inspection }: ApiDeps): Router {
  const router = Router({ caseSensitive: true });
  router.get('/sources', async (_request, response) => {
    const listed = [...sources].map(async ([name, { kind, missing }]) => ({
      kind,
      // The environment variables without which it takes nothing.
      ...(missing.length > 0 && { off: missing }),
      path: `/webhooks/${name}`,
      ...(await inspection.source(name)),
    }));
    response.json({ sources: await Promise.all(listed) });
  });
  router.get('/subscriptions', async (request, response) => {
    const asked = one(request, 'source');
    if (asked !== undefined && !sources.has(asked)) {
      throw new NotFoundError(`there is no source ${JSON.stringify(asked)}`);
    }
    const names = asked === undefined ? [...sources.keys()] : [asked];
    const page = { limit: limitOf(request), from: cursorOf(request, names) };
    const answer = await listFrom(inspection, names, page);
    response.json(asked === undefined ? answer : { source: asked, ...answer });
  });
  return router;
}

interface ListPage {
  readonly limit: number;
  readonly from: Cursor;
}

/** Lists source after source, until the page is full. */
async function listFrom(inspection: Inspection, names: readonly string[], page: ListPage) {
  const found: SubscriptionStatus[] = [];
  let { source: first, after } = page.from;
  for (const name of names.slice(names.indexOf(first))) {
    const limit = page.limit - found.length;
    if (limit === 0) return { subscriptions: found, next: toCursor({ source: name, after: 0 }) };
    const { subscriptions, next } = await subscriptionsOf(inspection, name, { limit, after });
    found.push(...subscriptions);
    if (next !== null) {
      return { subscriptions: found, next: toCursor({ source: name, after: next }) };
    }
    after = 0;
  }
  return { subscriptions: found, next: null };
}

async function subscriptionsOf(
  inspection: Inspection,
  ...[source, page]: Parameters<Inspection['subscriptions']>
) {
  const found = await inspection.subscriptions(source, page);
  if (found === undefined) {
    throw new NoAnswerError(`nobody tells what ${source} holds: no worker answers`);
  }
  return found;
}

function limitOf(request: Request): number {
  const limit = Number(one(request, 'limit') ?? LIMIT_DEFAULT);
  if (Number.isInteger(limit) && limit >= 1 && limit <= LIMIT_MAX) return limit;
  throw new RequestError(`limit is a whole number from 1 to ${LIMIT_MAX}`);
}

/** A place in the list. */
interface Cursor {
  readonly source: string;
  /** Subscriptions after this place in the source's order. */
  readonly after: number;
}

/** Callers give it back as it is: what is in it may change. */
function toCursor({ source, after }: Cursor): string {
  return Buffer.from(`${after} ${source}`).toString('base64url');
}

function cursorOf(request: Request, names: readonly string[]): Cursor {
  const given = one(request, 'cursor');
  if (given === undefined) return { source: names[0] ?? '', after: 0 };
  const [, after, source = ''] =
    /^(\d{1,15}) (.+)$/s.exec(Buffer.from(given, 'base64url').toString()) ?? [];
  if (after !== undefined && names.includes(source)) return { source, after: Number(after) };
  throw new RequestError('cursor is the `next` of the answer before, to the same question');
}

function one({ query }: Request, name: string): string | undefined {
  const value = query[name];
  if (value === undefined || typeof value === 'string') return value;
  throw new RequestError(`${name} is given more than once`);
}
