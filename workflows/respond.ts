// What a workflow answers to the requests whose events started or fed it.
//
// The ingress asks by an update, which waits in the workflow until there is an answer. What was
// answered crosses continue-as-new, so that a request that comes again gets the same.

import { condition, setHandler } from '@temporalio/workflow';
import { HandlerUnfinishedPolicy } from '@temporalio/common';
import { utf8ToBytes } from '@noble/hashes/utils.js';

import { isEvent, type Event } from '../events/event.ts';
import { whyNotSendable } from '../events/sendable-response.ts';
import { InvalidArgumentError } from './errors.ts';
import { responseQuery, responseUpdate, type HttpResponse } from './messages.ts';

/** The most that one answer takes, in bytes of JSON: the server takes up to 2 MiB. */
export const RESPONSE_BYTES_MAX = 1024 * 1024;

/** How many answers a workflow remembers. */
export const RESPONSES_KEPT_MAX = 100;

/** ... and how much of them crosses continue-as-new, in bytes of JSON; the last one always does. */
export const RESPONSES_BYTES_MAX = 256 * 1024;

/** An answer, and the id of the event that it is for. */
export type Answered = readonly [eventId: string, response: HttpResponse];

/** A record in headers, and so in histories. Add to it, never change. */
export interface ResponsesState {
  readonly answered: readonly Answered[];
  readonly startedBy?: string;
}

/** What a run, and those before it, has answered. */
export class Responses {
  #answered = new Map<string, HttpResponse>();
  /** The event that started the workflow. */
  #startedBy: string | undefined;

  /** Call it before the workflow's code runs. */
  listen(): void {
    const find = (eventId: string): HttpResponse | undefined => this.#answered.get(eventId);
    setHandler(
      responseUpdate,
      async (eventId) => {
        await condition(() => find(eventId) !== undefined);
        return find(eventId) ?? {};
      },
      {
        description: 'Waits until the workflow responds to an event.',
        // Who waits is told when the run ends.
        unfinishedPolicy: HandlerUnfinishedPolicy.ABANDON,
      },
    );
    setHandler(responseQuery, (eventId) => find(eventId) ?? null, {
      description: 'What the workflow responded to an event.',
    });
  }

  startedBy(args: readonly unknown[]): void {
    this.#startedBy ??= args.find(isEvent)?.id;
  }

  /** The workflow returned while this was unread. */
  startedAgainBy({ id }: Event): void {
    this.#startedBy = id;
  }

  /** @throws InvalidArgumentError */
  add(response: HttpResponse, eventId = this.#startedBy): void {
    if (eventId === undefined) {
      throw new InvalidArgumentError('no event started this workflow: say which one is answered');
    }
    if (this.#answered.has(eventId)) {
      throw new InvalidArgumentError(`event ${eventId} has its response already`);
    }
    this.#answered.set(eventId, response);
    const [oldest] = this.#answered.keys();
    if (this.#answered.size > RESPONSES_KEPT_MAX && oldest !== undefined) {
      this.#answered.delete(oldest);
    }
  }

  /** What crosses continue-as-new: the newest, as many as there is room for. */
  toState(): ResponsesState | undefined {
    const kept: Answered[] = [];
    let bytes = 0;
    for (const answered of [...this.#answered].toReversed()) {
      bytes += utf8ToBytes(JSON.stringify(answered)).length;
      if (kept.length > 0 && bytes > RESPONSES_BYTES_MAX) break;
      kept.unshift(answered);
    }
    if (kept.length === 0 && this.#startedBy === undefined) return undefined;
    return { answered: kept, ...(this.#startedBy !== undefined && { startedBy: this.#startedBy }) };
  }

  restore({ answered, startedBy }: ResponsesState): void {
    this.#answered = new Map(answered);
    this.#startedBy = startedBy;
  }
}

/** @throws InvalidArgumentError for what can not be sent */
export function checkResponse({ status, headers, body }: HttpResponse): HttpResponse {
  const why = whyNotSendable({ status, headers });
  if (why !== undefined) throw new InvalidArgumentError(why);
  const response = {
    ...(status !== undefined && { status }),
    ...(headers !== undefined && { headers }),
    ...(body !== undefined && { body }),
  };
  const bytes = utf8ToBytes(JSON.stringify(response)).length;
  if (bytes <= RESPONSE_BYTES_MAX) return response;
  throw new InvalidArgumentError(
    `the response takes ${bytes} bytes, at most ${RESPONSE_BYTES_MAX} can be sent`,
  );
}
