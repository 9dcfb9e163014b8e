// A request to /webhooks/<source>, or anything below it, becomes one event or several, and
// is answered once they are durable. The order is fixed: route, size, raw bytes; then, in the
// source, verify, handshake, freshness, events; then dispatch.

import type { IncomingMessage, ServerResponse } from 'node:http';

import type { RequestHandler } from 'express';

import type { LogEntry } from '../config/log.ts';
import type { Dispatched, Dispatcher, Respondent } from '../dispatch/dispatcher.ts';
import { sideBySide } from '../dispatch/side-by-side.ts';
import type { Event } from '../events/event.ts';
import { withTraceContext } from '../events/trace-context.ts';
import { joinRepeated, type WebhookUrl } from '../events/webhook-body.ts';
import type { AppDeps } from './app.ts';
import { readBody } from './body.ts';
import { NotFoundError, SourceOffError } from './problems.ts';
import type { RateLimiters } from './rate-limit.ts';
import { sendAnswer, sendResponse, untilGone } from './replies.ts';
import { requestIdOf } from './request-id.ts';
import { isPublished } from './sources/published.ts';
import { RequestError, type Received, type Reply, type Source } from './sources/source.ts';

/** Proxies may send the whole address; what counts is the path and query in it. */
const ORIGIN = /^https?:\/\/[^/?]*/i;

const WEBHOOK_PATH = /^\/webhooks\/([^/]*)(.*)$/s;
const MALFORMED_ESCAPE = /%(?![0-9a-f]{2})/i;

/** Headers have no room for anything else. */
const NOT_VISIBLE_ASCII = /[^\x21-\x7e]/gu;

/** The status that says that events are durable. */
const ACCEPTED = 202;

/** The status of an answer that has no body, and no length of one. */
const NO_CONTENT = 204;

/** How many events of one request are on their way at the same time. */
const EVENTS_AT_ONCE = 64;

/** Where a request goes. */
interface Target {
  readonly source: string;
  readonly url: WebhookUrl;
}

/** Takes every method and every content type, for the sources there are. */
export function takeWebhooks(
  deps: Omit<AppDeps, 'ready'> & { readonly limiters: RateLimiters },
): RequestHandler {
  return async (request, response) => {
    const startedAt = performance.now();
    const { source: name, url } = toTarget(request.originalUrl);
    const source = deps.sources.get(name);
    if (source === undefined) throw new NotFoundError(`there is no source ${JSON.stringify(name)}`);
    if (isPublished(source)) {
      throw new NotFoundError(
        `${name} takes no webhooks: its events are published at /events/${name}`,
      );
    }
    await deps.limiters.source?.take(request, response, name);
    if (source.missing.length > 0) throw new SourceOffError(describeOff(name, source));
    const { headers, repeatedHeaders } = toHeaders(request);
    const received = await source.receive({
      source: name,
      method: request.method,
      url,
      headers,
      repeatedHeaders,
      body: await readBody(request),
    });
    if ('reply' in received) {
      answer(response, received.reply);
      return;
    }
    if ('preflight' in received) {
      sendResponse(response, received.preflight);
      deps.observer?.filtered(name);
      return;
    }
    const events = received.events.map((event) => withTraceContext(event, headers));
    const dispatched = await dispatchAll(deps.dispatcher, events);
    const acknowledged = (): void =>
      deps.observer?.acknowledged(name, (performance.now() - startedAt) / 1_000);
    const asked = received.response ? undefined : toAsked(dispatched);
    if (asked === undefined) {
      accept(response, dispatched, received);
      acknowledged();
    }
    for (const one of dispatched) {
      deps.log(`${toLogLine(one)}${toReason(one, deps)}`, toLogEntry(one, requestIdOf(response)));
    }
    if (asked === undefined) return;
    const { event, respondent } = asked;
    const gone = untilGone(response);
    const answered = await deps.dispatcher.answer(event, respondent, gone);
    if (gone.aborted) return;
    sendAnswer(response, answered, idHeader(event.id));
    acknowledged();
  };
}

/** Why a source takes nothing: `github is off: GITHUB_WEBHOOK_SECRET is not set`. */
export function describeOff(name: string, { missing }: Pick<Source, 'missing'>): string {
  return `${name} is off: ${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} not set`;
}

/** A request that is events. */
type ReceivedEvents = Extract<Received, { readonly events: unknown }>;

/** Where an event went. */
interface DispatchedEvent extends Dispatched {
  readonly event: Event;
}

/**
 * Hands the events over in their order, and returns once all of them are durable. After a failure
 * no more are handed over: the sender sends all of them again, and their ids tell which are new.
 */
async function dispatchAll(
  dispatcher: Dispatcher,
  events: readonly Event[],
): Promise<readonly DispatchedEvent[]> {
  const dispatched: DispatchedEvent[] = [];
  let hasFailed = false;
  await sideBySide(events.entries(), EVENTS_AT_ONCE, async ([index, event]) => {
    if (hasFailed) return;
    try {
      dispatched[index] = { event, ...(await dispatcher.dispatch(event)) };
    } catch (error) {
      hasFailed = true;
      throw error;
    }
  });
  return dispatched;
}

function toTarget(requestUri: string): Target {
  const raw = requestUri.replace(ORIGIN, '');
  const queryAt = raw.indexOf('?');
  const [path, query] = queryAt < 0 ? [raw, ''] : [raw.slice(0, queryAt), raw.slice(queryAt + 1)];
  const [, name, suffix] = WEBHOOK_PATH.exec(path) ?? [];
  if (name === undefined || suffix === undefined) {
    throw new NotFoundError('a source is missing: /webhooks/<source>');
  }
  // The rest of a query that is not UTF-8 is still of use, and `raw` has it all.
  if (MALFORMED_ESCAPE.test(query))
    throw new RequestError('malformed percent-encoding in the query');
  return {
    source: decodePath(name),
    url: {
      path: decodePath(path),
      path_suffix: decodePath(suffix),
      query: joinRepeated(new URLSearchParams(query)),
      raw,
    },
  };
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    throw new RequestError('malformed percent-encoding in the path', { cause: error });
  }
}

/** From the headers as they came: Node's own map drops the repetitions of some. */
function toHeaders({ rawHeaders }: IncomingMessage): {
  readonly headers: Record<string, string>;
  readonly repeatedHeaders: ReadonlySet<string>;
} {
  const pairs: Array<[string, string]> = [];
  const names = new Set<string>();
  const repeatedHeaders = new Set<string>();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? '';
    if (name === 'host') continue;
    if (names.has(name)) repeatedHeaders.add(name);
    names.add(name);
    pairs.push([name, rawHeaders[at + 1] ?? '']);
  }
  return { headers: joinRepeated(pairs), repeatedHeaders };
}

/** Says that the events are durable: in the ingress's words, unless the source has others. */
function accept(
  response: ServerResponse,
  dispatched: readonly DispatchedEvent[],
  { response: given, acknowledgement = { status: ACCEPTED } }: ReceivedEvents,
): void {
  const outcomes = dispatched.map(({ event: { id }, started, signalled, queued }) =>
    queued ? { id, queued } : { id, started, signalled },
  );
  const [first] = outcomes;
  const isOne = outcomes.length === 1 && first !== undefined;
  if (given !== undefined) {
    sendResponse(response, given, isOne ? idHeader(first.id) : {});
    return;
  }
  answer(response, {
    body: isOne ? first : { events: outcomes },
    ...acknowledgement,
    headers: {
      ...(isOne && idHeader(first.id)),
      ...acknowledgement.headers,
    },
  });
}

/** In one write: Express's own way to answer takes noticeably longer. */
function answer(response: ServerResponse, { status = 200, headers, body = '' }: Reply): void {
  const isText = typeof body === 'string';
  const content = isText ? body : JSON.stringify(body);
  const type = isText ? 'text/plain' : 'application/json';
  response
    .writeHead(status, {
      ...(content !== '' && {
        'Content-Type': `${type}; charset=utf-8`,
        // What a sender asked to have back is not to be read as anything else.
        'X-Content-Type-Options': 'nosniff',
      }),
      ...(status !== NO_CONTENT && { 'Content-Length': Buffer.byteLength(content) }),
      ...headers,
    })
    .end(content);
}

/** The event whose workflow answers the request. Of several events, none does. */
function toAsked(
  dispatched: readonly DispatchedEvent[],
): { readonly event: Event; readonly respondent: Respondent } | undefined {
  const [only, ...others] = dispatched;
  if (only?.respondent === undefined || others.length > 0) return undefined;
  return { event: only.event, respondent: only.respondent };
}

/** Why nobody wanted an event, for the line that a developer sees. */
function toReason(dispatched: DispatchedEvent, { explain }: Pick<AppDeps, 'explain'>): string {
  const { event, started, signalled, unmatched, queued } = dispatched;
  const isUnwanted = started.length === 0 && signalled === 0 && unmatched > 0 && !queued;
  const why = isUnwanted ? explain?.(event) : undefined;
  return why ? `: ${why}` : '';
}

function idHeader(id: string): Record<string, string> {
  return { 'NextEvent-Id': id.replace(NOT_VISIBLE_ASCII, encodeURIComponent) };
}

/** What happened to an event, for machines. */
export function toLogEntry(
  { event, started, signalled, unmatched, queued }: DispatchedEvent,
  requestId: string,
): LogEntry {
  const { source, id: eventId, type: eventType } = event;
  return { source, eventId, eventType, requestId, started, signalled, unmatched, queued };
}

/** What happened to an event, in a line: `hello post -> started approval-1, woke 2, no match 3`. */
export function toLogLine({
  event,
  started,
  signalled,
  unmatched,
  queued,
}: DispatchedEvent): string {
  const parts = [
    ...started.map((workflowId) => `started ${workflowId}`),
    ...(signalled > 0 ? [`woke ${signalled}`] : []),
    ...(queued ? ['queued'] : []),
    ...(unmatched > 0 ? [`no match ${unmatched}`] : []),
  ];
  return `${event.source} ${event.type} -> ${parts.join(', ') || 'nobody waits'}`;
}
