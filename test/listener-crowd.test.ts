// Very many listeners, some of whose receivers are dead: the others get what is theirs in time.

import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';

import { sideBySide } from '../dispatch/side-by-side.ts';
import { startApp, startServer, until, type TestApp, type TestServer } from './harness.ts';
import { beginListener, startListener, TO_THIS_MACHINE, type TestListener } from './listeners.ts';
import { deliver } from './observe.ts';
import { Receiver } from './receiving.ts';

const LISTENERS = 1_000;
const DEAD = 10;

/** How many events each dead one is to get first: more than it may have on their way. */
const STUCK = 12;

/** Longer than the test. */
const TIMEOUT_MS = 1_200_000;

let server: TestServer;
let app: TestApp;

before(async () => {
  server = await startServer();
  app = await startApp(server, { sources: ['crowd'], outbound: TO_THIS_MACHINE });
});

after(async () => {
  await app?.stop();
  await server?.stop();
});

test(`of ${LISTENERS} listeners ${DEAD} have dead receivers, and the others are on time`, async (t) => {
  // What hangs, hangs until the end of the test; others refuse, break off, or never stop to answer.
  let stuck = 0;
  await using hanging = await Receiver.start(() => {
    stuck += 1;
    return undefined;
  });
  await using endless = await Receiver.start((_received, response) => {
    const pour = (): void => {
      while (response.write(Buffer.alloc(64 * 1024, 'x')));
      response.once('drain', pour);
    };
    response.writeHead(500);
    pour();
    return undefined;
  });
  await using breaking = await Receiver.start((_received, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('no more than this');
    setImmediate(() => response.destroy());
    return undefined;
  });
  await using receiver = await Receiver.start();
  const urls = [hanging.url, endless.url, breaking.url, await refusing()];
  const startedAt = performance.now();
  for (let place = 0; place < DEAD; place += 1) {
    const url = urls[place < 7 ? 0 : place - 6] ?? hanging.url;
    const retryMs = Array(20).fill(1_000);
    await startListener(app, { sources: ['crowd'], url, timeoutMs: TIMEOUT_MS, retryMs });
  }
  const living: TestListener[] = [];
  await sideBySide(Array.from({ length: LISTENERS - DEAD }).keys(), 32, async (place) => {
    const filter = "data.body.json.to == 'all'";
    const url = `${receiver.url}/${place}`;
    living.push(
      await beginListener(app, { sources: ['crowd'], url, filter, timeoutMs: TIMEOUT_MS }),
    );
  });
  await sideBySide(living, 32, async (listener) => void (await listener.ready()));
  const madeAt = performance.now();
  t.diagnostic(`${LISTENERS} listeners made in ${Math.round(madeAt - startedAt)} ms`);

  for (let n = 0; n < STUCK; n += 1) await deliver(app, 'crowd', { to: 'nobody', n });
  await until('the dead ones have what they can', () => stuck >= 7 * 10);
  const postedAt = performance.now();
  await app.post('crowd', { to: 'all' }, 'all');
  const wanted = LISTENERS - DEAD;
  const paths = () => new Set(receiver.received.map(({ path }) => path));
  await until('all others have it', () => paths().size === wanted, TIMEOUT_MS / 2);
  const tookMs = Math.max(...receiver.received.map(({ at }) => at)) - postedAt;
  t.diagnostic(`the event was with the other ${wanted} after ${Math.round(tookMs)} ms`);
});

/** An address that refuses connections. */
async function refusing(): Promise<string> {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  other.close();
  await once(other, 'close');
  return `http://127.0.0.1:${port}`;
}
