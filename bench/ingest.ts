// How many events a second the ingress takes that nobody waits for, against an Express route that
// parses the same JSON and calls `describe`. Each is a process of its own.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { sideBySide } from '../dispatch/side-by-side.ts';
import { Poster, Stage } from './stage.ts';
import { round, summarise } from './statistics.ts';

const AT_ONCE = 32;
const WARM_UP_ROUNDS = 3;
const ROUNDS = 11;
const EVENTS_PER_ROUND = 1_500;
const BODY_BYTES = 12_000;

/** Who waits on the source, for other events. */
const SUBSCRIPTIONS = 10;

const SOURCE = 'idle';

export async function ingest(): Promise<void> {
  const body = JSON.stringify(bodyOf(BODY_BYTES));
  console.log(
    `${AT_ONCE} calls at once, bodies of ${body.length} bytes; ${ROUNDS} rounds of ` +
      `${EVENTS_PER_ROUND} after ${WARM_UP_ROUNDS} to warm up, settings of npm start; ` +
      'medians of rates per second\n',
  );
  const stage = await Stage.start({ tuned: true });
  const route = await startExpress(stage.address);
  const poster = new Poster(AT_ONCE);
  const urls = { ingress: stage.urlOf(SOURCE), express: `${route.url}/webhooks/${SOURCE}` };
  const rates = { ingress: [] as number[], express: [] as number[] };
  try {
    await stage.fill(SOURCE, SUBSCRIPTIONS);
    for (let number = 1; number <= WARM_UP_ROUNDS + ROUNDS; number += 1) {
      const kinds = ['ingress', 'express'] as const;
      for (const kind of number % 2 === 0 ? kinds : kinds.toReversed()) {
        const startedAt = performance.now();
        await sideBySide(Array(EVENTS_PER_ROUND), AT_ONCE, () =>
          poster.post({ url: urls[kind], body }),
        );
        const rate = (EVENTS_PER_ROUND / (performance.now() - startedAt)) * 1_000;
        if (number > WARM_UP_ROUNDS) rates[kind].push(rate);
      }
    }
  } finally {
    poster.close();
    await route.kill();
    await stage.stop();
  }
  const medians = {
    ingress: Math.round(summarise(rates.ingress).p50),
    express: Math.round(summarise(rates.express).p50),
  };
  const ratio = round(medians.ingress / medians.express);
  console.table({
    'POST to the ingress': { 'a second': medians.ingress },
    'Express, JSON and describe': { 'a second': medians.express },
    ratio: { 'a second': ratio },
  });
  console.log(JSON.stringify({ bench: 'ingest', ratio_to_express: ratio, ...medians }));
}

async function startExpress(address: string) {
  const child = fork(fileURLToPath(new URL('express.ts', import.meta.url)), {
    env: { ...process.env, TEMPORAL_ADDRESS: address },
  });
  const [{ port }] = (await once(child, 'message')) as [{ readonly port: number }];
  return {
    url: `http://127.0.0.1:${port}`,
    async kill() {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Something like a webhook: records of texts, numbers and flags. */
function bodyOf(bytes: number): unknown {
  const lines: unknown[] = [];
  while (JSON.stringify(lines).length < bytes) {
    const number = lines.length;
    const name = `a thing that somebody has ordered, number ${number}`;
    lines.push({ sku: `SKU-${number}`, name, price: 9.5 * number, gift: number % 2 === 0 });
  }
  return { order: 'A-17', lines };
}
