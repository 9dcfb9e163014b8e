import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

import type { WorkflowHandle } from '@temporalio/client';

import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { TestApp } from '../testing/index.ts';
import {
  postUntilAccepted,
  startProcess,
  startServer,
  type Post,
  type Posted,
  type TestProcess,
  type TestServer,
} from './harness.ts';
import { oncePerKey } from './observe.ts';
import { resultOf } from './received.ts';
import type { RaceResult } from './workflows/racing.ts';

const CONFIG = fileURLToPath(new URL('races.config.ts', import.meta.url));

const CHURNING = 2;

describe('An event that races with subscribe', () => {
  let server: TestServer;
  let ingresses: readonly TestProcess[] = [];
  before(async () => {
    server = await startServer();
    const env = { TEMPORAL_ADDRESS: server.address, NEXTEVENT_CONFIG: CONFIG };
    ingresses = await Promise.all([startProcess('ingress', env), startProcess('ingress', env)]);
  });
  after(async () => {
    for (const ingress of ingresses) await ingress.kill();
    await server.stop();
  });

  test('arrives if it was posted the moment subscribe returned, never if it was acknowledged before', async (context) => {
    const source = 'moment';
    // Many short ones: one that is executed again begins with its first round.
    const workflows = 20;
    const rounds = 25;
    const posting = new Posting(ingresses);
    const app = await startChurning(server, source, {
      beforeSubscribe: oncePerKey((key) =>
        posting.post({ source, id: `early ${key}`, body: { key } }),
      ),
      afterSubscribe: (key: string) => posting.post({ source, id: `due ${key}`, body: { key } }),
    });
    try {
      const names = Array.from({ length: workflows }, (_, index) => `racer${index}`);
      const results = await Promise.all(
        names.map(async (name, index) => {
          // From within the workflow task that still runs, or once it is durable.
          const isLocal = index % 2 === 0;
          const handle = await app.start('race', { source, name, rounds, isLocal });
          return handle.result() as Promise<RaceResult>;
        }),
      );
      const expected = names.map((name) =>
        Array.from({ length: rounds }, (_, round) => [`due ${name}-${round}`]),
      );
      assert.deepEqual(results, expected);
      await posting.assertSomeDirect(context);
    } finally {
      await app.stop();
    }
  });

  test('does not come again to a workflow that it woke and that subscribes again', async (context) => {
    const source = 'again';
    const workflows = 10;
    // What came again in the last one would not be seen.
    const rounds = 21;
    const posting = new Posting(ingresses);
    const app = await startChurning(server, source, {
      afterSubscribe: oncePerKey(async (id) => {
        const [key] = id.split('/');
        // Not waited for: it is to be on its way still when the workflow subscribes again.
        void posting.post({ source, id, body: { key } });
      }),
    });
    try {
      const names = Array.from({ length: workflows }, (_, index) => `waker${index}`);
      const results = await Promise.all(
        names.map(async (name) => {
          const handle = await app.start('subscribeAgain', { source, name, rounds, isLocal: true });
          return handle.result() as Promise<string[]>;
        }),
      );
      const expected = names.map((name) =>
        Array.from({ length: rounds }, (_, round) => `${name}/${round}`),
      );
      assert.deepEqual(results, expected);
      await posting.assertSomeDirect(context);
    } finally {
      await app.stop();
    }
  });

  test('does not come to the workflow that it started', async (context) => {
    const source = 'starting';
    const events = 100;
    const posting = new Posting(ingresses);
    const acknowledged = new Map<string, Promise<Posted>>();
    const app = await startChurning(server, source, {
      afterSubscribe: async (key: string) => {
        await acknowledged.get(key);
        await posting.post({ source, id: `next ${key}`, body: { key } });
      },
    });
    try {
      const keys = Array.from({ length: events }, () => randomUUID());
      const results: Array<[key: string, received: string[]]> = [];
      // A few at a time, so that a start and the first act of others meet.
      await Promise.all(
        [0, 1, 2, 3].map(async (lane) => {
          for (const key of keys.filter((_, index) => index % 4 === lane)) {
            const body = { key, start: true };
            const posted = posting.post({ source, id: `start ${key}`, body });
            acknowledged.set(key, posted);
            assert.equal((await posted).status, 202);
            const started = app.client.workflow.getHandle(`first/start ${key}`);
            results.push([key, await resultOf<string[]>(started)]);
          }
        }),
      );
      const expected = keys.map((key) => [key, [`next ${key}`]] as const);
      assert.deepEqual(new Map(results), new Map(expected));
      await posting.assertSomeDirect(context);
    } finally {
      await app.stop();
    }
  });
});

/** Posts to ingresses in turn. */
class Posting {
  readonly #urls: readonly string[];
  readonly #posted: Array<Promise<Posted>> = [];
  #turn = 0;

  constructor(ingresses: readonly TestProcess[]) {
    this.#urls = ingresses.map(({ url }) => url);
  }

  post(event: Post): Promise<Posted> {
    this.#turn += 1;
    const urls = this.#turn % 2 === 0 ? this.#urls : this.#urls.toReversed();
    const posted = postUntilAccepted(urls, event);
    this.#posted.push(posted);
    return posted;
  }

  /** By way of the backlog, where all are in one order, there would be no race. */
  async assertSomeDirect(context: TestContext): Promise<void> {
    const posted = await Promise.all(this.#posted);
    const direct = posted.filter(({ queued, signalled }) => !queued && signalled > 0).length;
    context.diagnostic(`${direct} of ${posted.length} events went to a workflow at once`);
    assert.ok(direct > 0, 'no event went to a workflow at once');
  }
}

/** A worker. Workflows subscribe to the source and unsubscribe all the time. */
async function startChurning(
  server: TestServer,
  source: string,
  activities: Config['activities'],
): Promise<TestApp> {
  const app = new TestApp(server, { ...(await loadConfig(CONFIG)), activities }, {});
  await app.startWorker();
  const churning: WorkflowHandle[] = [];
  for (let index = 0; index < CHURNING; index += 1) {
    churning.push(await app.start('churn', source));
  }
  const stop = app.stop.bind(app);
  app.stop = async () => {
    await Promise.all(churning.map((handle) => handle.terminate()));
    await stop();
  };
  return app;
}
