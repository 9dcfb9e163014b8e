// What is measured, for Prometheus. Labels have few values: the sources of the configuration, and
// fixed words.

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

import type { Inspection, SourceStatus } from '../dispatch/inspection.ts';
import type { DispatchedEvent, DispatchObserver, MatchPass } from '../dispatch/observer.ts';
import { sideBySide } from '../dispatch/side-by-side.ts';
import { REJECTION_REASONS, type RejectedFor } from './rejections.ts';
import { shareLook } from './shared-look.ts';

/** The label of a request to a source that there is not. */
const NO_SOURCE = '';

/** From a hop within a machine to the patience of most senders, in seconds. */
const ACKNOWLEDGEMENT_BUCKETS = [
  0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 3, 5, 10,
];

/** From one filter to a hundred thousand, in seconds. */
const MATCH_BUCKETS = [
  0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1,
];

/** How many sources are looked at side by side. */
const LOOKS_MAX = 8;

/** A look at the sources is good for so long: who asks more often costs Temporal nothing. */
const LOOK_MS = 2_000;

type SourceLabels = 'source';

/** The metrics of one ingress. */
export class Metrics implements DispatchObserver {
  readonly #registry = new Registry();
  readonly #sources: readonly string[];
  readonly #accepted: Counter<SourceLabels | 'path'>;
  readonly #rejected: Counter<SourceLabels | 'reason'>;
  readonly #filtered: Counter<SourceLabels>;
  readonly #duplicates: Counter<SourceLabels>;
  readonly #dispatched: Counter<SourceLabels | 'by'>;
  readonly #matched: Counter<SourceLabels>;
  readonly #filterErrors: Counter<SourceLabels>;
  readonly #acknowledgement: Histogram<SourceLabels>;
  readonly #match: Histogram<SourceLabels>;

  constructor(sources: readonly string[]) {
    const registers = [this.#registry];
    const counter = <T extends string>(name: string, help: string, labelNames: readonly T[]) =>
      new Counter({ name: `nextevent_${name}_total`, help, labelNames, registers });
    const histogram = (name: string, help: string, buckets: number[]) =>
      new Histogram({
        name: `nextevent_${name}_seconds`,
        help,
        labelNames: ['source'],
        buckets,
        registers,
      });
    this.#sources = sources;
    this.#accepted = counter('events_accepted', HELP.accepted, ['source', 'path']);
    this.#rejected = counter('requests_rejected', HELP.rejected, ['source', 'reason']);
    this.#filtered = counter('requests_filtered', HELP.filtered, ['source']);
    this.#duplicates = counter('events_duplicate', HELP.duplicates, ['source']);
    this.#dispatched = counter('workflows_dispatched', HELP.dispatched, ['source', 'by']);
    this.#matched = counter('filters_matched', HELP.matched, ['source']);
    this.#filterErrors = counter('filter_errors', HELP.filterErrors, ['source']);
    this.#acknowledgement = histogram(
      'acknowledgement',
      HELP.acknowledgement,
      ACKNOWLEDGEMENT_BUCKETS,
    );
    this.#match = histogram('match', HELP.match, MATCH_BUCKETS);
    collectDefaultMetrics({ register: this.#registry });
    this.#startAtZero();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  matched(source: string, { seconds, matched, failed }: MatchPass): void {
    this.#match.observe({ source }, seconds);
    this.#matched.inc({ source }, matched);
    this.#filterErrors.inc({ source }, failed);
  }

  dispatched(source: string, { path, started, signalled, isRepeated }: DispatchedEvent): void {
    this.#accepted.inc({ source, path });
    this.#dispatched.inc({ source, by: 'start' }, started);
    this.#dispatched.inc({ source, by: 'signal' }, signalled);
    if (isRepeated) this.#duplicates.inc({ source });
  }

  acknowledged(source: string, seconds: number): void {
    this.#acknowledgement.observe({ source }, seconds);
  }

  rejected(source: string | null, reason: RejectedFor): void {
    this.#rejected.inc({ source: source ?? NO_SOURCE, reason });
  }

  filtered(source: string): void {
    this.#filtered.inc({ source });
  }

  /** Looks at the sources' own numbers whenever somebody asks. */
  watch(inspection: Pick<Inspection, 'source'>): void {
    const registers = [this.#registry];
    const look = shareLook(() => lookAt(inspection, this.#sources), LOOK_MS);
    for (const { name, help, read } of GAUGES) {
      const gauge: Gauge<SourceLabels> = new Gauge({
        name: `nextevent_${name}`,
        help,
        labelNames: ['source'],
        registers,
        async collect() {
          gauge.reset();
          for (const status of await look()) {
            const value = read(status, Date.now());
            if (value !== undefined) gauge.set({ source: status.name }, value);
          }
        },
      });
    }
  }

  /** All of it, in the text format of Prometheus. */
  expose(): Promise<string> {
    return this.#registry.metrics();
  }

  /** A counter that is there from the start shows its first step as one. */
  #startAtZero(): void {
    for (const source of this.#sources) {
      for (const path of ['fast', 'slow']) this.#accepted.inc({ source, path }, 0);
      for (const by of ['start', 'signal']) this.#dispatched.inc({ source, by }, 0);
      for (const reason of REJECTION_REASONS) this.#rejected.inc({ source, reason }, 0);
      this.#filtered.inc({ source }, 0);
      this.#duplicates.inc({ source }, 0);
      this.#matched.inc({ source }, 0);
      this.#filterErrors.inc({ source }, 0);
      this.#acknowledgement.zero({ source });
      this.#match.zero({ source });
    }
  }
}

const HELP = {
  accepted: 'Events that are durable, by the way they went: fast, or slow through the backlog.',
  rejected: 'Requests that were refused, by reason; source is empty if there is no such source.',
  filtered: "Requests that a source's handler answered, and that are no event.",
  duplicates: 'Events that this process had accepted before, of the last 4096 of each source.',
  dispatched: 'Workflows that this process handed an event to at once, by a start or a signal.',
  matched: 'Subscriptions and triggers whose filter matched an event in this process.',
  filterErrors: 'Filters that could not be evaluated on an event, and so did not match.',
  acknowledgement: 'From a request to the answer that its events are durable, or of its workflow.',
  match: 'One look through the filters of a source, for one event.',
} as const;

interface SourceGauge {
  readonly name: string;
  readonly help: string;
  /** Undefined if it is not known. */
  readonly read: (status: SourceStatus, nowMs: number) => number | undefined;
}

const GAUGES: readonly SourceGauge[] = [
  {
    name: 'backlog_events',
    help: 'Events in the backlog, as the source last counted them: with no worker it does not count.',
    read: ({ backlog }) => backlog,
  },
  {
    name: 'backlog_oldest_age_seconds',
    help: 'For how long the oldest event of the backlog has waited; with no worker, the oldest signal.',
    read: ageOfBacklog,
  },
  {
    name: 'source_pending_seconds',
    help: 'For how long the source has waited for a worker to see what changed.',
    read: ({ pendingSince }, nowMs) => secondsSince(pendingSince, nowMs) ?? 0,
  },
  {
    name: 'source_has_room',
    help: 'Whether the backlog takes more: 1, or 0 while events are answered with 503.',
    read: ({ hasRoom }) => Number(hasRoom),
  },
  {
    name: 'subscriptions',
    help: 'Subscriptions of running workflows.',
    read: ({ subscriptions }) => subscriptions,
  },
  {
    name: 'subscriptions_suspended',
    help: 'Subscriptions whose workflow takes no more events in its present run.',
    read: ({ suspended }) => suspended,
  },
];

function ageOfBacklog(
  { backlog, oldestSince, pendingSince }: SourceStatus,
  nowMs: number,
): number | undefined {
  // An event of a version that did not say when it came.
  if (backlog > 0 && oldestSince === null) return undefined;
  return Math.max(0, secondsSince(oldestSince, nowMs) ?? 0, secondsSince(pendingSince, nowMs) ?? 0);
}

function secondsSince(time: string | null, nowMs: number): number | undefined {
  return time === null ? undefined : Math.max(0, nowMs - Date.parse(time)) / 1_000;
}

/** Of a source that can not be looked at, nothing is said. */
async function lookAt(
  inspection: Pick<Inspection, 'source'>,
  sources: readonly string[],
): Promise<SourceStatus[]> {
  const statuses: SourceStatus[] = [];
  await sideBySide(sources, LOOKS_MAX, async (name) => {
    const status = await inspection.source(name).catch(() => undefined);
    if (status !== undefined) statuses.push(status);
  });
  return statuses;
}
