// `/readyz` of an ingress process, which asks a real server, and how often it asks.

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { describe, test, type TestContext } from 'node:test';
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
      await untilShows(503, {
        status: 'not ready',
        missing: ['Temporal does not answer for namespace default'],
      });
    } finally {
      await ingress.kill();
    }
  });
});

describe('readiness', () => {
  test('is one look for all who ask meanwhile, also if it takes its time', async (t) => {
    const clock = stopClock(t);
    const { ready, looks, answer } = readinessOf('orders');
    const asked = Array.from({ length: 100 }, ready);
    clock.nowMs += 1_500;
    asked.push(ready());
    answer();
    const missing = ['no worker polls the task queue orders'];
    for (const answered of await Promise.all(asked)) assert.deepEqual(answered, missing);
    assert.deepEqual(looks, ['system', 'orders']);
  });

  test('is looked at again after a second, and not before', async (t) => {
    const clock = stopClock(t);
    const { ready, looks, answer } = readinessOf('orders');
    answer();
    await ready();
    clock.nowMs += 999;
    await ready();
    assert.deepEqual(looks, ['system', 'orders']);
    clock.nowMs += 1;
    await ready();
    assert.deepEqual(looks, ['system', 'orders', 'system', 'orders']);
  });

  test('that took longer than a second to see is good for those who waited for it only', async (t) => {
    const clock = stopClock(t);
    const { ready, looks, answer } = readinessOf('orders');
    const asked = ready();
    clock.nowMs += 1_000;
    answer();
    await asked;
    await ready();
    assert.deepEqual(looks, ['system', 'orders', 'system', 'orders']);
  });
});

/** Readiness at a Temporal that no worker polls, and that answers once `answer` was called. */
function readinessOf(taskQueue: string) {
  const looks: string[] = [];
  const answering = new EventEmitter();
  const answered = once(answering, 'answer');
  const workflowService = {
    getSystemInfo: () => {
      looks.push('system');
      return answered;
    },
    describeTaskQueue: async ({ taskQueue: { name } }: { taskQueue: { name: string } }) => {
      looks.push(name);
      return { pollers: [] };
    },
  };
  const connection = {
    workflowService,
    withDeadline: <T>(_deadline: number, call: () => Promise<T>): Promise<T> => call(),
  } as unknown as Connection;
  const ready = createReadiness({ connection, namespace: 'default', taskQueues: [taskQueue] });
  return { ready, looks, answer: () => answering.emit('answer') };
}

/** Time passes by hand. */
function stopClock(t: TestContext): { nowMs: number } {
  const clock = { nowMs: 0 };
  t.mock.method(performance, 'now', () => clock.nowMs);
  return clock;
}
