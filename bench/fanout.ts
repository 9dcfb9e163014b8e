// One event for 1, 100 and 10,000 waiting workflows, against bare signals to the same workflows, as
// many at once. A rate counts until the code of the last workflow has gone on. Meanwhile events
// are posted to another source, to see whether it is held up.

import { sideBySide } from '../dispatch/side-by-side.ts';
import type { Counting } from './counting.ts';
import { numberOption } from './options.ts';
import { Poster, Stage } from './stage.ts';
import { round, summarise } from './statistics.ts';

/** As many as the backlog's activity signals at once. */
const AT_ONCE = 32;

const MASSES = 10_000;
const ASIDE_EVERY_MS = 100;

const KINDS = ['event', 'signal'] as const;
type Kind = (typeof KINDS)[number];

/** Those who wait on one source. */
interface Crowd {
  readonly source: string;
  readonly size: number;
  readonly warmUpRounds: number;
  readonly rounds: number;
}

interface Figures {
  readonly acknowledgedMs: number[];
  readonly perSecond: number[];
  /** What the events of the other source took. */
  readonly asideMs: number[];
}

interface Row {
  readonly acknowledgedMs: number;
  readonly perSecond: number;
  readonly asideMs: number;
}

/** `--waiting N` for another number than 10,000. */
export async function fanout(): Promise<void> {
  const masses = numberOption('waiting', MASSES);
  const crowds: readonly Crowd[] = [
    { source: 'one', size: 1, warmUpRounds: 5, rounds: 31 },
    { source: 'some', size: 100, warmUpRounds: 5, rounds: 31 },
    { source: 'masses', size: masses, warmUpRounds: 1, rounds: 3 },
  ];
  console.log(
    `one event, or a signal to each, ${AT_ONCE} at once; settings of npm start; medians\n`,
  );
  const stage = await Stage.start({ tuned: true });
  const poster = new Poster(AT_ONCE);
  try {
    await start(stage, { source: 'aside', size: 1, warmUpRounds: 0, rounds: 0 });
    const ratios = new Map<number, number>();
    let last: Row | undefined;
    for (const crowd of crowds) {
      const figures = await measure(stage, poster, crowd);
      const event = medianOf(figures.event);
      const signal = medianOf(figures.signal);
      const ratio = round(event.perSecond / signal.perSecond);
      ratios.set(crowd.size, ratio);
      last = event;
      console.log(`${crowd.size} waiting`);
      console.table({ 'one event': event, 'bare signals': signal, ratio: { perSecond: ratio } });
    }
    console.log(
      JSON.stringify({
        bench: 'fanout',
        ack_ms_10k: last?.acknowledgedMs,
        ratio_to_bare_signals: ratios.get(masses),
        ratio_1: ratios.get(1),
        ratio_100: ratios.get(100),
        waiting: masses,
      }),
    );
  } finally {
    poster.close();
    await stage.stop();
  }
}

async function measure(
  stage: Stage,
  poster: Poster,
  crowd: Crowd,
): Promise<Readonly<Record<Kind, Figures>>> {
  await start(stage, crowd);
  const figures = {
    event: { acknowledgedMs: [], perSecond: [], asideMs: [] } as Figures,
    signal: { acknowledgedMs: [], perSecond: [], asideMs: [] } as Figures,
  };
  for (let number = 1; number <= crowd.warmUpRounds + crowd.rounds; number += 1) {
    for (const kind of number % 2 === 0 ? KINDS : KINDS.toReversed()) {
      const aside = timeAside(stage, poster);
      const startedAt = performance.now();
      const received = stage.resumed({ by: `${crowd.source} ${kind}`, round: number }, crowd.size);
      if (kind === 'event') await poster.post({ url: stage.urlOf(crowd.source), body: '{}' });
      else await signalAll(stage, crowd);
      const acknowledgedMs = performance.now() - startedAt;
      const tookMs = (await received) - startedAt;
      const asideMs = await aside.stop();
      if (number <= crowd.warmUpRounds) continue;
      figures[kind].acknowledgedMs.push(acknowledgedMs);
      figures[kind].perSecond.push((crowd.size / tookMs) * 1_000);
      figures[kind].asideMs.push(...asideMs);
    }
  }
  return figures;
}

async function start(stage: Stage, { source, size }: Crowd): Promise<void> {
  const inputs = new Map<string, Counting>();
  for (const workflow of Array(size).keys()) {
    inputs.set(`${source}-${workflow}`, { workflow, source, filter: '', batch: 1 });
  }
  const ready = stage.resumed({ by: `${source} event`, round: 0 }, size);
  await stage.startAll('count', inputs);
  await ready;
}

async function signalAll(stage: Stage, { source, size }: Crowd): Promise<void> {
  await sideBySide(Array(size).keys(), AT_ONCE, async (workflow) => {
    await stage.client.workflow.getHandle(`${source}-${workflow}`).signal('bare', {});
  });
}

/** Posts to another source, and tells how long each answer took. */
function timeAside(stage: Stage, poster: Poster) {
  const tookMs: number[] = [];
  const posting: Array<Promise<void>> = [];
  const url = stage.urlOf('aside');
  const postOne = async (): Promise<void> => {
    const startedAt = performance.now();
    await poster.post({ url, body: '{}' });
    tookMs.push(performance.now() - startedAt);
  };
  const timer = setInterval(() => posting.push(postOne()), ASIDE_EVERY_MS);
  return {
    async stop(): Promise<readonly number[]> {
      clearInterval(timer);
      await Promise.all(posting);
      return tookMs;
    },
  };
}

function medianOf({ acknowledgedMs, perSecond, asideMs }: Figures): Row {
  return {
    acknowledgedMs: round(summarise(acknowledgedMs).p50),
    perSecond: round(summarise(perSecond).p50),
    asideMs: round(summarise(asideMs).p50),
  };
}
