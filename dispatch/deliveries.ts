// What was delivered to listeners, as seen from outside: found, and delivered again.

import type { Client } from '@temporalio/client';

import type { AttemptRecord, Delivery, DeliveryStatus } from '../events/listener.ts';
import {
  deliveriesQuery,
  DELIVERY_WORKFLOW_TYPE,
  deliveryWorkflowId,
  redeliverUpdate,
  type DeliveryMemo,
} from '../workflows/listener-messages.ts';
import type { DeliveryReader } from './delivery-reading.ts';
import { describeExecution } from './describe-execution.ts';
import { ListenerConflictError, ListenerSilentError, UnknownListenerError } from './errors.ts';
import { decodeMemo, ListenerCalls, quoted } from './listener-calls.ts';
import type { ListenerClient } from './listener-client.ts';

/** How many deliveries one request delivers again: a listener takes twice as many. */
export const REDELIVER_MAX = 5_000;

/** How many one update names: a listener takes no more. */
const NUMBERS_PER_UPDATE = 100;

/** How many deliveries are looked through for what is to be delivered again. */
const STORED_MAX = 50_000;

/** How many workflows one page of visibility has. */
const PAGE = 1_000;

/** Which deliveries are meant. */
export interface DeliveryFilter {
  readonly status?: DeliveryStatus | undefined;
  readonly limit: number;
  /** Only those before this number. */
  readonly before?: number | undefined;
}

export interface DeliveryPage {
  /** Newest first. */
  readonly deliveries: readonly Delivery[];
  /** What comes next is before this number; null if nothing does. */
  readonly next: number | null;
}

export interface RedeliverFilter {
  /** What was resolved then or later. */
  readonly since: Date;
  readonly statuses: ReadonlyArray<'failed' | 'skipped'>;
}

export interface DeliveriesDeps {
  readonly client: Client;
  readonly listeners: Pick<ListenerClient, 'find'>;
  readonly reader: DeliveryReader;
}

export class Deliveries {
  readonly #deps: DeliveriesDeps;
  readonly #calls: ListenerCalls;

  constructor(deps: DeliveriesDeps) {
    this.#deps = deps;
    this.#calls = new ListenerCalls(deps.client);
  }

  /**
   * What is pending, up to 1,000 or 1.4 MiB, and the newest 100 that are not, newest first. Needs the
   * listener's worker.
   *
   * @throws UnknownListenerError
   * @throws ListenerSilentError
   */
  async list(id: string, { status, limit, before }: DeliveryFilter): Promise<DeliveryPage> {
    const all = await this.#known(id);
    const meant = all
      .filter((delivery) => status === undefined || delivery.status === status)
      .filter(({ number }) => before === undefined || number < before)
      .toSorted((one, other) => other.number - one.number);
    const deliveries = meant.slice(0, limit);
    const next = meant.length > limit ? (deliveries.at(-1)?.number ?? null) : null;
    return { deliveries, next };
  }

  /**
   * One that did not succeed at once is found for as long as the server keeps its workflow.
   *
   * @throws UnknownListenerError if there is no such delivery, or it is not on record any more
   * @throws ListenerSilentError
   */
  async find(id: string, number: number): Promise<Delivery> {
    const all = await this.#known(id, number).catch(silence);
    const known = Array.isArray(all) ? all.find((one) => one.number === number) : undefined;
    const delivery = known ?? (await this.#stored(id, number));
    // What is pending changes without its workflow.
    const isCurrent = delivery?.status !== 'pending';
    if (delivery !== undefined && (isCurrent || Array.isArray(all))) return delivery;
    if (all instanceof Error) throw all;
    throw new UnknownListenerError(
      `there is no delivery ${number} of listener "${id}", or not any more`,
    );
  }

  /**
   * What was sent, and what came of it: from the history of the listener's run.
   *
   * @param attempt - its place in the delivery, from 1
   * @throws UnknownListenerError if there is none, or the server has deleted that run
   */
  async attempt(id: string, number: number, attempt: number): Promise<AttemptRecord> {
    const { attempts } = await this.find(id, number);
    const reference = attempts[attempt - 1];
    const record = reference && (await this.#deps.reader.readAttempt(id, reference))?.record;
    if (record !== undefined) return record;
    throw new UnknownListenerError(
      `there is no attempt ${attempt} of delivery ${number} of listener "${id}", or not any more`,
    );
  }

  /**
   * Delivers the event once more, under a number of its own, which it gives.
   *
   * @throws ListenerConflictError if the delivery is pending, or the listener is not active
   */
  async redeliver(id: string, number: number): Promise<number> {
    await this.#checkActive(id);
    const { status } = await this.find(id, number);
    if (status === 'pending') {
      throw new ListenerConflictError(`delivery ${number} of listener "${id}" is pending`);
    }
    const [again] = await this.#calls.update(id, redeliverUpdate, [[number]]);
    if (again !== undefined) return again;
    throw new UnknownListenerError(`delivery ${number} of listener "${id}" is not on record`);
  }

  /**
   * Delivers once more what failed or was skipped since a time, oldest first, each event once: not
   * what was delivered again since, unless that failed, too. What has changed in the last moment
   * may be left out. Gives the numbers of the new deliveries.
   *
   * @throws ListenerConflictError if the listener is not active, or there are too many
   */
  async redeliverAll(id: string, filter: RedeliverFilter): Promise<readonly number[]> {
    await this.#checkActive(id);
    const numbers = await this.#meant(id, filter);
    if (numbers.length > REDELIVER_MAX) {
      throw new ListenerConflictError(
        `${numbers.length} deliveries of listener "${id}" are meant, at most ${REDELIVER_MAX}: ask for a later time, or one status`,
      );
    }
    const again: number[] = [];
    for (let at = 0; at < numbers.length; at += NUMBERS_PER_UPDATE) {
      const some = numbers.slice(at, at + NUMBERS_PER_UPDATE);
      again.push(...(await this.#calls.update(id, redeliverUpdate, [some])));
    }
    return again;
  }

  async #checkActive(id: string): Promise<void> {
    const { status } = await this.#deps.listeners.find(id);
    if (status === 'active') return;
    throw new ListenerConflictError(`listener "${id}" is ${status}, and delivers nothing`);
  }

  async #meant(id: string, { since, statuses }: RedeliverFilter): Promise<readonly number[]> {
    const latest = new Map<string, Delivery>();
    // What the listener says itself is newer than what visibility has.
    for (const delivery of [...(await this.#storedSince(id, since)), ...(await this.#known(id))]) {
      const event = `${delivery.source} ${delivery.eventId}`;
      const before = latest.get(event);
      if (before === undefined || before.number <= delivery.number) latest.set(event, delivery);
    }
    const wanted: ReadonlySet<string> = new Set(statuses);
    return [...latest.values()]
      .filter(({ status }) => wanted.has(status))
      .filter(({ resolvedAt = '' }) => Date.parse(resolvedAt) >= since.getTime())
      .map(({ number }) => number)
      .toSorted((one, other) => one - other);
  }

  /** What is pending, and the newest that is not; or that of a number. */
  #known(id: string, number?: number): Promise<readonly Delivery[]> {
    return this.#calls.query(id, deliveriesQuery, number === undefined ? [] : [number]);
  }

  /** What a delivery's own workflow says of it; `undefined` if it has none. */
  async #stored(id: string, number: number): Promise<Delivery | undefined> {
    const { client } = this.#deps;
    const described = await describeExecution(client, deliveryWorkflowId(id, number));
    const info = described?.workflowExecutionInfo;
    return info ? (await decodeMemo<DeliveryMemo>(client, info))?.delivery : undefined;
  }

  /** All that have ended since, and those that are pending, as visibility has them. */
  async #storedSince(id: string, since: Date): Promise<readonly Delivery[]> {
    const { client } = this.#deps;
    const query = [
      `WorkflowType = '${DELIVERY_WORKFLOW_TYPE}'`,
      `WorkflowId STARTS_WITH ${quoted(deliveryWorkflowId(id, 0).slice(0, -1))}`,
      `(CloseTime >= '${since.toISOString()}' OR ExecutionStatus = 'Running')`,
    ].join(' AND ');
    const found: Delivery[] = [];
    let token: Uint8Array | null = null;
    do {
      const page = await this.#calls.list(query, { limit: PAGE, token });
      for (const info of page.executions) {
        const memo = await decodeMemo<DeliveryMemo>(client, info);
        if (memo?.delivery !== undefined) found.push(memo.delivery);
      }
      token = page.next;
    } while (token !== null && found.length < STORED_MAX);
    if (token === null) return found;
    throw new ListenerConflictError(
      `listener "${id}" has more than ${STORED_MAX} deliveries since then: ask for a later time`,
    );
  }
}

/** The listener does not answer, but what is on record elsewhere can be told. */
function silence(error: unknown): ListenerSilentError {
  if (error instanceof ListenerSilentError) return error;
  throw error;
}
