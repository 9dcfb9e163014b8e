// `/readyz` of an ingress process, which asks a real server.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';

import { Connection } from '@temporalio/client';

import { createReadiness } from '../ingress/readiness.ts';
import { SOURCE_TASK_QUEUE } from '../workflows/messages.ts';
import { startProcess, startServer, until } from './harness.ts';

const CONFIG = fileURLToPath(new URL('kill.config.ts', import.meta.url));

/** That of the configuration. */
const TASK_QUEUE = 'kill';

describe('an ingress', { timeout: 900_000 }, () => {
  test('is ready while Temporal answers and workers poll, and says which of them is missing', async () => {
    await using server = await startServer();
    const env = {
      NEXTEVENT_CONFIG: CONFIG,
      TEMPORAL_ADDRESS: server.address,
      MANAGEMENT_PORT: '0',
    };
    const ingress = await startProcess('ingress', env);
    const look = async (): Promise<[status: number, answer: unknown]> => {
      const response = await fetch(`${ingress.url}/readyz`);
      return [response.status, await response.json()];
    };
    // A busy Temporal does not answer in time whenever it is asked.
    const untilShows = (status: number, answer: unknown): Promise<unknown> =>
      until(`the ingress shows ${status} ${JSON.stringify(answer)}`, async () =>
        isDeepStrictEqual(await look(), [status, answer]),
      );
    try {
      const missing = [TASK_QUEUE, SOURCE_TASK_QUEUE].map(
        (taskQueue) => `no worker polls the task queue ${taskQueue}`,
      );
      await untilShows(503, { status: 'not ready', missing });

      const worker = await startProcess('worker', env);
      try {
        await untilShows(200, { status: 'ready' });
      } finally {
        await worker.kill();
      }
      const connection = await Connection.connect({ address: server.address });
      const ready = createReadiness({
        connection,
        namespace: server.namespace,
        taskQueues: [TASK_QUEUE, SOURCE_TASK_QUEUE],
        polledMsMax: 1_000,
      });
      await until('the worker is missed', async () => isDeepStrictEqual(await ready(), missing));
      await connection.close();

      await server.temporal.kill();
      const [status, answer] = await look();
      assert.equal(status, 503);
      assert.deepEqual(answer, {
        status: 'not ready',
        missing: ['Temporal does not answer for namespace default'],
      });
    } finally {
      await ingress.kill();
    }
  });
});
