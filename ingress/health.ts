import { Router } from 'express';

/** What the process still lacks to do its work; empty if nothing. */
export type Ready = () => Promise<readonly string[]>;

/** `/healthz`: the process lives. `/readyz`: it can do its work, or what is missing. */
export function answerHealth(ready: Ready): Router {
  const router = Router({ caseSensitive: true });
  router.get('/healthz', (_request, response) => {
    response.json({ status: 'ok' });
  });
  router.get('/readyz', async (_request, response) => {
    const missing = await ready();
    if (missing.length === 0) response.json({ status: 'ready' });
    else response.status(503).json({ status: 'not ready', missing });
  });
  return router;
}
