// What a source takes while no worker is there: all of it arrives, and the source lives.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { BacklogWriter } from '../dispatch/backlog.ts';
import { RUN_EVENTS_MAX } from '../dispatch/source-client.ts';
import { sideBySide } from '../dispatch/side-by-side.ts';
import { sourceWorkflowId } from '../workflows/messages.ts';
import {
  postUntilAccepted,
  startApp,
  startServer,
  startUncached,
  type TestServer,
} from './harness.ts';
import { leaveAlone } from './observe.ts';
import { PatientSource } from './patient-source.ts';
import { receivedBy, startCollecting } from './received.ts';
import { eventOf } from './trouble.ts';

const KIB = 1024;

/** How many requests are on their way at once: small ones, which mostly wait, and large ones. */
const SENDERS = 256;
const LARGE_SENDERS = 48;

/** They send one workflow as much as it takes, one after another: more of them only wait longer. */
const FILLERS = 8;

describe('Without a worker', () => {
  let server: TestServer;
  before(async () => {
    server = await startServer();
  });
  after(() => server.stop());

  test('a source takes 6,000 events, and all of them arrive', async () => {
    const app = await startApp(server, { sources: ['many'] });
    try {
      const collecting = await startCollecting(app, [['many', 'data.body.json.n >= 0']]);
      await leaveAlone(app, 'many');
      const ids = Array.from({ length: 6_000 }, (_, n) => `event ${n}`);
      await sideBySide(ids.entries(), SENDERS, async ([n, id]) => {
        const event = { source: 'many', id, body: { n } };
        assert.equal((await postUntilAccepted([app.ingress.url], event)).queued, true);
      });
      await app.startWorker();
      await postUntilAccepted([app.ingress.url], { source: 'many', id: 'end', body: { n: 0 } });
      const received = await receivedBy(collecting);
      assert.equal(received.length, ids.length);
      assert.deepEqual(received.toSorted(), ids.toSorted());
    } finally {
      await app.stop();
    }
  });

  test('it takes 300 bodies of 500 KiB, and all of them arrive', async () => {
    const app = await startApp(server, { sources: ['large'] });
    try {
      // Each gets as much as one run can hold.
      const collecting = await Promise.all(
        Array.from({ length: 10 }, (_, n) =>
          startCollecting(app, [['large', `data.body.json.share == ${n}`]]),
        ),
      );
      await leaveAlone(app, 'large');
      const ids = Array.from({ length: 300 }, (_, n) => `event ${n}`);
      const filling = 'x'.repeat(500 * KIB);
      await sideBySide(ids.entries(), LARGE_SENDERS, async ([n, id]) => {
        const event = { source: 'large', id, body: { share: n % collecting.length, filling } };
        assert.equal((await postUntilAccepted([app.ingress.url], event)).queued, true);
      });
      await app.startWorker();
      const received: string[] = [];
      for (const [n, handle] of collecting.entries()) {
        await postUntilAccepted([app.ingress.url], {
          source: 'large',
          id: `end ${n}`,
          body: { share: n },
        });
        received.push(...(await receivedBy(handle)));
      }
      assert.deepEqual(received.toSorted(), ids.toSorted());
    } finally {
      await app.stop();
    }
  });

  test('it takes events that hundreds of workflows are left over of, and lives', async () => {
    const source = 'left-over';
    const app = await startUncached(server, { sources: [source] });
    try {
      const collecting = await startCollecting(app, [[source, '']]);
      await leaveAlone(app, source);
      const handle = app.client.workflow.getHandle(sourceWorkflowId(source));
      const chain = (await handle.describe()).raw.workflowExecutionInfo?.firstRunId;
      const writer = new BacklogWriter(source, new PatientSource(app.client));
      const ids = Array.from({ length: 200 }, (_, n) => `event ${n}`);
      await sideBySide(ids, FILLERS, async (eventId) => {
        const stored = await writer.store(eventOf(source, eventId));
        const leftOver = Array.from({ length: 220 }, () => `collect-${randomUUID()}--`);
        await writer.accept({ eventId, ...stored, after: 0, leftOver });
      });
      await app.startWorker();
      await postUntilAccepted([app.ingress.url], { source, id: 'end', body: {} });
      const received = await receivedBy(collecting);
      assert.deepEqual(received.toSorted(), ids.toSorted());
      const { raw } = await handle.describe();
      assert.equal(raw.workflowExecutionInfo?.firstRunId, chain, 'it was terminated');
    } finally {
      await app.stop();
    }
  });

  test('above what its run can hold it answers 503, lives, and loses nothing', async () => {
    const app = await startUncached(server, { sources: ['bounded'] });
    try {
      const collecting = await startCollecting(app, [['bounded', '']]);
      await leaveAlone(app, 'bounded');
      const sources = new PatientSource(app.client);
      const accepted = await postUntilAccepted([app.ingress.url], {
        source: 'bounded',
        id: 'accepted',
        body: {},
      });
      assert.equal(accepted.queued, true);
      await sideBySide(Array.from({ length: RUN_EVENTS_MAX }), FILLERS, () =>
        sources.unregister('bounded', [randomUUID()]),
      );
      const refused = await fetch(`${app.ingress.url}/webhooks/bounded`, {
        method: 'POST',
        headers: { 'idempotency-key': 'refused' },
      });
      assert.equal(refused.status, 503);
      assert.match(refused.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
      assert.match(app.ingress.lines.join('\n'), /unavailable: the backlog of bounded is full/);
      const source = app.client.workflow.getHandle(sourceWorkflowId('bounded'));
      assert.equal((await source.describe()).status.name, 'RUNNING');
      await app.startWorker();
      for (const id of ['refused', 'end']) {
        await postUntilAccepted([app.ingress.url], { source: 'bounded', id, body: {} });
      }
      assert.deepEqual(await receivedBy(collecting), ['accepted', 'refused']);
    } finally {
      await app.stop();
    }
  });
});
