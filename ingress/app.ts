// The ingress as an Express application. It knows nothing of Temporal: it makes events
// of requests, and hands them to the dispatcher.

import { createServer as createHttpServer, type Server } from 'node:http';

import express, { type Express } from 'express';

import type { ApiKey } from '../config/api-keys.ts';
import type { Log } from '../config/log.ts';
import type { RateLimits } from '../config/rate-limits.ts';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { Event } from '../events/event.ts';
import { answerHealth, type Ready } from './health.ts';
import { answerProblems, NotFoundError } from './problems.ts';
import { takePublished } from './publish.ts';
import { createRateLimiters } from './rate-limit.ts';
import { takeRequestId } from './request-id.ts';
import type { Source } from './sources/source.ts';
import type { IngressObserver } from './telemetry.ts';
import { takeWebhooks } from './webhooks.ts';

/** How long a client may take to send its headers, and its whole request. */
const HEADERS_MS_MAX = 10_000;
const REQUEST_MS_MAX = 60_000;

/** How often Node looks for those that took longer: by itself it does every 30 seconds only. */
const CHECK_EVERY_MS = 1_000;

/** Longer than the 60 seconds of common load balancers, so that they hang up first. */
const KEEP_ALIVE_MS = 65_000;

/** What the ingress is made of. */
export interface AppDeps {
  /** By the name that follows `/webhooks/` or `/events/`. */
  readonly sources: ReadonlyMap<string, Source>;
  readonly dispatcher: Dispatcher;
  /** What the process still lacks to do its work; empty if nothing. */
  readonly ready: Ready;
  /** Takes one line per event, and one per failure, with what it is about; at `debug`, refusals. */
  readonly log: Log;
  /**
   * Is told how requests end: a `Telemetry` counts it.
   *
   * @default nobody is told
   */
  readonly observer?: IngressObserver;
  /**
   * Says why nobody wanted an event, for its line. It costs more than the event itself: for
   * development.
   */
  readonly explain?: (event: Event) => string;
  /**
   * Those of role `publisher` publish events.
   *
   * @default none: nobody publishes
   */
  readonly apiKeys?: readonly ApiKey[];
  /** @default none */
  readonly rateLimits?: RateLimits;
}

/**
 * The HTTP side: `/webhooks/<source>`, `/events/<source>`, `/healthz` and `/readyz`.
 *
 * It answers every request that reaches it, and reads bodies itself. In an application of one's own
 * it is mounted at the root, after the other routes and before anything that reads bodies.
 *
 * @example
 * const { sources, triggers } = await loadConfig();
 * const dispatcher = await createDispatcher({
 *   connectionOptions: { address: '127.0.0.1:7233' },
 *   namespace: 'default',
 *   sources: [...sources.keys()],
 *   triggers,
 * });
 * const app = express();
 * app.get('/mine', (_request, response) => void response.send('mine'));
 * app.use(createApp({ sources, dispatcher, ready: async () => [], log: createLog(process.env) }));
 */
export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.disable('query parser');
  app.enable('case sensitive routing');
  app.use(takeRequestId, (_request, response, next) => {
    response.set('Cache-Control', 'no-cache');
    next();
  });
  const limiters = createRateLimiters(deps.rateLimits);
  app.use(answerHealth(deps.ready));
  app.use('/webhooks', takeWebhooks({ ...deps, limiters }));
  app.use('/events', takePublished({ ...deps, limiters }));
  app.use(() => {
    throw new NotFoundError(
      'there is nothing here; webhooks go to /webhooks/<source>, published events to /events/<source>',
    );
  });
  app.use(answerProblems(deps.log, deps.observer));
  return app;
}

/**
 * A server for the application, with bounds on how long clients may take.
 *
 * @example
 * createServer(app).listen(8088);
 */
export function createServer(app: Express): Server {
  return createHttpServer(
    {
      headersTimeout: HEADERS_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
      connectionsCheckingInterval: CHECK_EVERY_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    app,
  );
}
