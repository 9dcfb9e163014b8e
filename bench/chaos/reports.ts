// What the workflows have said, as the worker's processes pass it on. A report may come more than
// once, because activities may; the first counts.

import { now } from './clock.ts';
import type { Report, ReportMessage } from './report.ts';

export type HeardReport = Report & { readonly heardAt: number };

interface Waiting {
  readonly isIt: (report: HeardReport) => boolean;
  readonly resolve: (report: HeardReport) => void;
  readonly reject: () => void;
}

/** The run is over before the workflow has said what was waited for. */
export class NotHeardError extends Error {
  override readonly name = 'NotHeardError';
}

export class Reports {
  readonly #heard = new Map<string, HeardReport>();
  readonly #waiting = new Set<Waiting>();
  #isOver = false;

  readonly onMessage = (message: unknown): void => {
    const { type, report } = message as Partial<ReportMessage>;
    if (type !== 'report' || report === undefined) return;
    const key = JSON.stringify(report);
    if (this.#heard.has(key)) return;
    const heard = { ...report, heardAt: now() };
    this.#heard.set(key, heard);
    for (const waiting of this.#waiting) {
      if (!waiting.isIt(heard)) continue;
      this.#waiting.delete(waiting);
      waiting.resolve(heard);
    }
  };

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The subscriptions of a workflow, oldest first. */
  heldBy(firstRunId: string): Array<HeardReport & { kind: 'held' }> {
    return [...this.#heard.values()].filter(
      (report): report is HeardReport & { kind: 'held' } =>
        report.kind === 'held' && report.firstRunId === firstRunId,
    );
  }

  /** The first report that `isIt`, of the past or the future. */
  until(what: string, isIt: Waiting['isIt']): Promise<HeardReport> {
    const heard = [...this.#heard.values()].find(isIt);
    if (heard) return Promise.resolve(heard);
    const error = new NotHeardError(what);
    if (this.#isOver) return Promise.reject(error);
    return new Promise((resolve, reject) => {
      this.#waiting.add({ isIt, resolve, reject: () => reject(error) });
    });
  }

  /** Nobody waits any longer. */
  end(): void {
    this.#isOver = true;
    for (const { reject } of this.#waiting) reject();
    this.#waiting.clear();
  }
}
