// What operators see of an ingress from outside: its metrics, and what it refused.

import type { RequestHandler } from 'express';

import type { Inspection } from '../dispatch/inspection.ts';
import type { DispatchedEvent, DispatchObserver, MatchPass } from '../dispatch/observer.ts';
import { Metrics } from './metrics.ts';
import { Rejections, toReason } from './rejections.ts';

/** A request that was answered with a problem. */
export interface RejectedRequest {
  readonly error: unknown;
  readonly status: number;
  readonly path: string;
  readonly remoteAddress: string | null;
  readonly requestId: string;
}

/** What the ingress tells whoever counts. Calls return at once, and do not throw. */
export interface IngressObserver {
  /** The sender was told that its events are durable. */
  acknowledged(source: string, seconds: number): void;
  rejected(request: RejectedRequest): void;
  /** The source's handler has answered a request that is no event. */
  filtered(source: string): void;
}

/** The address of a source: its name follows. */
const SOURCE_PATH = /^\/(?:webhooks|events)\/([^/?]+)/;

/**
 * The metrics of an ingress, and the last requests that it refused.
 *
 * @example
 * const telemetry = new Telemetry([...sources.keys()]);
 * const dispatcher = await createDispatcher({ ...options, observer: telemetry });
 * telemetry.watch(dispatcher.inspection);
 * app.get('/metrics', telemetry.answerMetrics);
 * app.use(createApp({ sources, dispatcher, ready, log, observer: telemetry }));
 */
export class Telemetry implements DispatchObserver, IngressObserver {
  readonly rejections = new Rejections();
  readonly #metrics: Metrics;
  readonly #sources: ReadonlySet<string>;

  constructor(sources: readonly string[]) {
    this.#sources = new Set(sources);
    this.#metrics = new Metrics(sources);
  }

  /** Answers with the metrics, in the text format of Prometheus. */
  readonly answerMetrics: RequestHandler = async (_request, response) => {
    response.set('Content-Type', this.#metrics.contentType).send(await this.#metrics.expose());
  };

  /** Adds what the sources say of themselves, such as how deep their backlogs are. */
  watch(inspection: Pick<Inspection, 'source'>): void {
    this.#metrics.watch(inspection);
  }

  matched(source: string, pass: MatchPass): void {
    this.#metrics.matched(source, pass);
  }

  dispatched(source: string, event: DispatchedEvent): void {
    this.#metrics.dispatched(source, event);
  }

  acknowledged(source: string, seconds: number): void {
    this.#metrics.acknowledged(source, seconds);
  }

  filtered(source: string): void {
    this.#metrics.filtered(source);
  }

  rejected({ error, status, path, remoteAddress, requestId }: RejectedRequest): void {
    const source = this.#sourceOf(path);
    const reason = toReason(error, status);
    this.#metrics.rejected(source, reason);
    const at = new Date().toISOString();
    this.rejections.add({ at, source, reason, status, remoteAddress, requestId });
  }

  #sourceOf(path: string): string | null {
    const [, name = ''] = SOURCE_PATH.exec(path) ?? [];
    return this.#sources.has(name) ? name : null;
  }
}
