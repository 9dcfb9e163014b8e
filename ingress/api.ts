// The management API, for operators, on a port of its own. Without keys it answers to this
// machine only; with keys, to whoever has one.

import express, { Router, type Express, type RequestHandler } from 'express';
import helmet from 'helmet';
import { z } from 'zod';

import type { ApiKey } from '../config/api-keys.ts';
import type { Log } from '../config/log.ts';
import type { RateLimits } from '../config/rate-limits.ts';
import type { Inspection } from '../dispatch/inspection.ts';
import { defineRoute, type ApiRoute } from './api-route.ts';
import { filterRoutes } from './filter-routes.ts';
import { deliveryRoutes } from './delivery-routes.ts';
import { inspectionRoutes } from './inspection-routes.ts';
import { Authentication, checkOperator, isOperator } from './keys/authentication.ts';
import { listenerRoutes, type Listeners } from './listener-routes.ts';
import { API_BASE, createDocument } from './openapi.ts';
import { answerProblems, ForbiddenError, MethodError, NotFoundError } from './problems.ts';
import { createRateLimiters } from './rate-limit.ts';
import { rejectionRoutes } from './rejection-routes.ts';
import { takeRequestId } from './request-id.ts';
import type { Source } from './sources/source.ts';
import type { Telemetry } from './telemetry.ts';

/** The names of this machine. A page in a browser that uses another one is not let in. */
const LOCAL_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

export interface ApiDeps {
  readonly sources: ReadonlyMap<string, Source>;
  readonly inspection: Pick<Inspection, 'source' | 'subscriptions'>;
  /**
   * What `/api/v1/listeners` is about.
   *
   * @default the configuration has no `outbound`, and the answer says so
   */
  readonly listeners?: Listeners;
  readonly log: Log;
  /**
   * With it, there are `/metrics` and `/api/v1/rejections`.
   *
   * @default none
   */
  readonly telemetry?: Pick<Telemetry, 'answerMetrics' | 'rejections'>;
  /**
   * If one of them is of role `reader` or `admin`, every request needs such a key.
   *
   * @default none
   */
  readonly apiKeys?: readonly ApiKey[];
  /** @default none */
  readonly rateLimits?: RateLimits;
}

/** Every route of the API, the one of its document included. */
export function apiRoutes(deps: ApiDeps): readonly ApiRoute[] {
  const hasKeys = (deps.apiKeys ?? []).some(isOperator);
  const routes: ApiRoute[] = [
    ...inspectionRoutes(deps),
    ...filterRoutes(),
    ...listenerRoutes(deps),
    ...deliveryRoutes(deps),
    ...(deps.telemetry ? rejectionRoutes(deps.telemetry) : []),
    defineRoute({
      method: 'get',
      path: '/openapi.json',
      summary: 'This document.',
      role: 'reader',
      answer: z.looseObject({ openapi: z.string() }),
      run: () => ({ ...createDocument(routes, { hasKeys }) }),
    }),
  ];
  return routes;
}

/** The routes of `apiRoutes`, below `/api/v1`, and `/metrics`. */
export function createApi(deps: ApiDeps, routes = apiRoutes(deps)): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(takeRequestId, helmet(), (_request, response, next) => {
    response.set('Cache-Control', 'no-store');
    next();
  });
  const guard = createGuard(deps);
  app.use(API_BASE, answerRoutes(routes, guard));
  if (deps.telemetry) app.get('/metrics', guard('reader'), deps.telemetry.answerMetrics);
  app.use(guard('reader'), () => {
    throw new NotFoundError(`there is nothing here; the API is at ${API_BASE}`);
  });
  app.use(answerProblems(deps.log));
  return app;
}

/** Lets those in who may ask. */
type Guard = (role: ApiRoute['role']) => RequestHandler;

function createGuard({ apiKeys = [], rateLimits }: ApiDeps): Guard {
  if (!apiKeys.some(isOperator)) return () => letLocalIn;
  const authentication = new Authentication(apiKeys);
  const { key: limiter } = createRateLimiters(rateLimits);
  return (role) => async (request, response, next) => {
    const key = authentication.keyOf(request);
    checkOperator(key, role);
    await limiter?.take(request, response, key.id);
    next();
  };
}

const letLocalIn: RequestHandler = ({ headers: { host = '', origin } }, _response, next) => {
  if (!LOCAL_HOST.test(host)) {
    throw new ForbiddenError('without API keys, the management API answers to localhost only');
  }
  // A page of any site can post to localhost; it does not get at the answer, but its request counts.
  if (origin !== undefined && origin !== `http://${host}`) {
    throw new ForbiddenError('without API keys, the management API answers to no page elsewhere');
  }
  next();
};

function answerRoutes(routes: readonly ApiRoute[], guard: Guard): Router {
  const router = Router({ caseSensitive: true, strict: true });
  for (const route of routes) {
    router[route.method](toPattern(route), guard(route.role), async (request, response) => {
      const answer = await route.respond(request);
      response.status(route.status).json(answer);
    });
  }
  for (const path of new Set(routes.map(toPattern))) {
    const methods = routes.filter((route) => toPattern(route) === path).map(({ method }) => method);
    const allowed = methods.join(', ').toUpperCase();
    router.all(path, guard('reader'), (request) => {
      throw new MethodError(request.method, allowed);
    });
  }
  return router;
}

/** `/listeners/{id}` as Express has it. */
function toPattern({ path }: ApiRoute): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}
