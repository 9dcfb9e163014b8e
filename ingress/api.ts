// The management API, for operators: it listens on this machine only, on a port of its own.

import express, { Router, type Express, type Request } from 'express';

import type { Log } from '../config/log.ts';
import type { Inspection, SubscriptionStatus } from '../dispatch/inspection.ts';
import { answerProblems, ForbiddenError, NoAnswerError, NotFoundError } from './problems.ts';
import type { Rejections } from './rejections.ts';
import { RequestError, type Source } from './sources/source.ts';
import type { Telemetry } from './telemetry.ts';

/** How many subscriptions one answer lists, if nothing else is asked for, and at the most. */
const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

/** The names of this machine. A page in a browser that uses another one is not let in. */
const LOCAL_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

export interface ApiDeps {
  readonly sources: ReadonlyMap<string, Source>;
  readonly inspection: Inspection;
  readonly log: Log;
  /** With it, there are `/metrics` and `/api/v1/rejections`. */
  readonly telemetry?: Pick<Telemetry, 'answerMetrics' | 'rejections'>;
}

/**
 * `GET /api/v1/sources`, `/api/v1/subscriptions?source=&limit=&after=`,
 * `/api/v1/rejections?source=&limit=` and `/metrics`.
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
  if (deps.telemetry) {
    app.get('/metrics', deps.telemetry.answerMetrics);
    app.use('/api/v1', answerRejections(deps.telemetry.rejections));
  }
  app.use('/api/v1', answerInspection(deps));
  app.use(() => {
    throw new NotFoundError('there is nothing here; the API is at /api/v1');
  });
  app.use(answerProblems(deps.log));
  return app;
}

/** What is asked for may be a source that is no longer configured. */
function answerRejections(rejections: Rejections): Router {
  const router = Router({ caseSensitive: true });
  router.get('/rejections', (request, response) => {
    const asked = { source: one(request, 'source'), limit: limitOf(request) };
    response.json({ rejections: rejections.list(asked) });
  });
  return router;
}

function answerInspection({ sources, inspection }: ApiDeps): Router {
  const router = Router({ caseSensitive: true });
  router.get('/sources', async (_request, response) => {
    const listed = [...sources].map(async ([name, { kind }]) => ({
      kind,
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
    const page = { limit: limitOf(request), after: afterOf(request) };
    if (asked !== undefined) {
      response.json({ source: asked, ...(await subscriptionsOf(inspection, asked, page)) });
      return;
    }
    if (page.after > 0) throw new RequestError('after is a place in one source: name the source');
    const found: SubscriptionStatus[] = [];
    for (const name of sources.keys()) {
      const limit = page.limit - found.length;
      if (limit > 0) {
        found.push(...(await subscriptionsOf(inspection, name, { limit, after: 0 })).subscriptions);
      }
    }
    response.json({ subscriptions: found });
  });
  return router;
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

function afterOf(request: Request): number {
  const after = Number(one(request, 'after') ?? 0);
  if (Number.isSafeInteger(after) && after >= 0) return after;
  throw new RequestError('after is a whole number, the `next` of the answer before');
}

function one({ query }: Request, name: string): string | undefined {
  const value = query[name];
  if (value === undefined || typeof value === 'string') return value;
  throw new RequestError(`${name} is given more than once`);
}
