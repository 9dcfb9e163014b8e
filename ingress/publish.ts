// POST /events/<source>: applications publish CloudEvents, one or a batch, with an API key.
// The order is fixed: method, key, source, rate, content type, size; then every event is
// checked, and only if all of them are right is any of them dispatched.

import type { RequestHandler, Response } from 'express';
import helmet from 'helmet';

import { UnavailableError } from '../dispatch/errors.ts';
import type { Event } from '../events/event.ts';
import type { AppDeps } from './app.ts';
import { readBody } from './body.ts';
import {
  BATCH_EVENTS_MAX,
  EventTooLargeError,
  toEvent,
  toRawCloudEvent,
  type RawCloudEvent,
} from './cloud-events.ts';
import { modeOf, toBinaryCloudEvent } from './content-mode.ts';
import { answerHandshake } from './handshake.ts';
import { parseJson } from './json.ts';
import { Authentication, checkPublisher } from './keys/authentication.ts';
import {
  BatchError,
  MethodError,
  NotFoundError,
  toProblem,
  toRejected,
  type Problem,
  type WrongEvent,
} from './problems.ts';
import type { RateLimiters } from './rate-limit.ts';
import { requestIdOf } from './request-id.ts';
import { isPublished } from './sources/published.ts';
import { RequestError } from './sources/source.ts';
import { toLogEntry, toLogLine } from './webhooks.ts';

const METHODS = 'POST, OPTIONS';

/** What became of an event of a batch. */
type Outcome =
  | { readonly id: string; readonly accepted: true }
  | {
      readonly id: string;
      readonly accepted: false;
      readonly problem: Problem;
      readonly error: UnavailableError;
    };

type PublishDeps = Omit<AppDeps, 'ready'> & { readonly limiters: RateLimiters };

type RequestDeps = Pick<AppDeps, 'dispatcher' | 'log'> & { readonly requestId: string };

/** Takes CloudEvents for the sources of kind `published`, and answers the webhook handshake. */
export function takePublished(deps: PublishDeps): RequestHandler[] {
  const { sources, limiters, apiKeys = [] } = deps;
  const authentication = new Authentication(apiKeys);
  const take: RequestHandler = async (request, response) => {
    const startedAt = performance.now();
    const name = request.path.slice(1);
    if (request.method === 'OPTIONS') {
      answerHandshake(request, response, { source: publishedAt(sources, name), ...deps });
      return;
    }
    if (request.method !== 'POST') throw new MethodError(request.method, METHODS);
    const key = authentication.keyOf(request);
    checkPublisher(key, name);
    publishedAt(sources, name);
    await limiters.key?.take(request, response, key.id);
    await limiters.source?.take(request, response, name);
    const mode = modeOf(request);
    const body = await readBody(request);
    const requestId = requestIdOf(response);
    const acknowledged = (): void =>
      deps.observer?.acknowledged(name, (performance.now() - startedAt) / 1_000);
    if (mode === 'batched') {
      const outcomes = await publishAll({ ...deps, requestId }, toBatch(name, body));
      answerBatch(response, outcomes);
      const failed = outcomes.find((outcome) => !outcome.accepted);
      if (failed === undefined) acknowledged();
      else {
        const { error, problem } = failed;
        deps.observer?.rejected(toRejected(request, response, { error, status: problem.status }));
      }
      return;
    }
    const raw =
      mode === 'binary'
        ? toBinaryCloudEvent(request, body)
        : toRawCloudEvent(parseJson(body, 'the body'));
    const { id } = await publish({ ...deps, requestId }, toEvent(name, raw));
    response.status(202).json({ id, accepted: true });
    acknowledged();
  };
  return [helmet(), take];
}

function publishedAt(sources: AppDeps['sources'], name: string) {
  const source = sources.get(name);
  if (isPublished(source)) return source;
  throw new NotFoundError(`there is no source ${JSON.stringify(name)} of published events`);
}

function toBatch(source: string, body: Uint8Array): readonly Event[] {
  const batch = parseJson(body, 'the body');
  if (!Array.isArray(batch)) throw new RequestError('a batch is a JSON array of CloudEvents');
  if (batch.length > BATCH_EVENTS_MAX) {
    throw new RequestError(`the batch has ${batch.length} events, at most ${BATCH_EVENTS_MAX}`);
  }
  const wrong: WrongEvent[] = [];
  const events: Event[] = [];
  for (const [index, json] of batch.entries()) {
    try {
      const raw: RawCloudEvent = toRawCloudEvent(json);
      events.push(toEvent(source, raw));
    } catch (error) {
      wrong.push({ index, ...toWrong(error) });
    }
  }
  if (wrong.length > 0) throw new BatchError(wrong);
  return events;
}

function toWrong(error: unknown): Omit<WrongEvent, 'index'> {
  if (error instanceof RequestError || error instanceof EventTooLargeError) {
    return { status: toProblem(error).status, detail: error.message };
  }
  throw error;
}

async function publish({ dispatcher, log, requestId }: RequestDeps, event: Event): Promise<Event> {
  const dispatched = { event, ...(await dispatcher.dispatch(event)) };
  log(toLogLine(dispatched), toLogEntry(dispatched, requestId));
  return event;
}

/** An event that is in the batch twice is dispatched once. */
async function publishAll(deps: RequestDeps, events: readonly Event[]): Promise<Outcome[]> {
  const outcomes = new Map<string, Promise<Outcome>>();
  const settle = async (event: Event): Promise<Outcome> => {
    const { id } = event;
    try {
      await publish(deps, event);
      return { id, accepted: true };
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      const { source, type: eventType } = event;
      const entry = { source, eventId: id, eventType, requestId: deps.requestId, error };
      deps.log(`${source} ${eventType} unavailable: ${error.message}`, {
        ...entry,
        level: 'error',
      });
      return { id, accepted: false, problem: toProblem(error), error };
    }
  };
  for (const event of events) {
    if (!outcomes.has(event.id)) outcomes.set(event.id, settle(event));
  }
  // All of them have to end, or what is still on its way would outlive the answer.
  const settled = await Promise.allSettled(outcomes.values());
  const failed = settled.find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
  return Promise.all(events.map(({ id }) => outcomes.get(id) as Promise<Outcome>));
}

/** 202 if all are durable; otherwise the batch is to be sent again, whole or in part. */
function answerBatch(response: Response, outcomes: readonly Outcome[]): void {
  const problems = outcomes.flatMap((outcome) => (outcome.accepted ? [] : [outcome.problem]));
  if (problems.length > 0) response.set('Retry-After', retryAfter(problems));
  response.status(statusOf(problems.length, outcomes.length)).json({
    events: outcomes.map((outcome, index) => ({ index, ...withoutHeaders(outcome) })),
  });
}

function statusOf(failed: number, all: number): number {
  if (failed === 0) return 202;
  return failed < all ? 207 : 503;
}

function retryAfter(problems: readonly Problem[]): string {
  const seconds = problems.map(({ headers }) => Number(headers?.['Retry-After'] ?? 1));
  return String(Math.max(...seconds));
}

function withoutHeaders(outcome: Outcome): object {
  if (outcome.accepted) return outcome;
  const { id, accepted } = outcome;
  const { headers: _headers, ...problem } = outcome.problem;
  return { id, accepted, problem };
}
