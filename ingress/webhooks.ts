// A request to /webhooks/<source>, or anything below it, becomes an event, and is
// answered once the event is durable.

import type { IncomingMessage, ServerResponse } from 'node:http';

import type { RequestHandler } from 'express';

import type { Dispatched } from '../dispatch/dispatcher.ts';
import type { Event } from '../events/event.ts';
import { withTraceContext } from '../events/trace-context.ts';
import { joinRepeated, type WebhookUrl } from '../events/webhook-body.ts';
import type { AppDeps } from './app.ts';
import { readBody } from './body.ts';
import { NotFoundError } from './problems.ts';
import { requestIdOf } from './request-id.ts';
import { RequestError } from './sources/source.ts';

/** Proxies may send the whole address; what counts is the path and query in it. */
const ORIGIN = /^https?:\/\/[^/?]*/i;

const WEBHOOK_PATH = /^\/webhooks\/([^/]*)(.*)$/s;
const MALFORMED_ESCAPE = /%(?![0-9a-f]{2})/i;

/** Headers have no room for anything else. */
const NOT_VISIBLE_ASCII = /[^\x21-\x7e]/gu;

/** Where a request goes. */
interface Target {
  readonly source: string;
  readonly url: WebhookUrl;
}

/** Takes every method and every content type, for the sources there are. */
export function takeWebhooks(deps: Omit<AppDeps, 'ready'>): RequestHandler {
  return async (request, response) => {
    const startedAt = performance.now();
    const { source: name, url } = toTarget(request.originalUrl);
    const source = deps.sources.get(name);
    if (source === undefined) throw new NotFoundError(`there is no source ${JSON.stringify(name)}`);
    const headers = toHeaders(request);
    const body = await readBody(request);
    const made = source.toEvent({ source: name, method: request.method, url, headers, body });
    const event = withTraceContext(made, headers);
    const dispatched = await deps.dispatcher.dispatch(event);
    accept(response, event.id, dispatched);
    deps.observer?.acknowledged(name, (performance.now() - startedAt) / 1_000);
    deps.log(toLogLine(event, dispatched), {
      source: name,
      eventId: event.id,
      eventType: event.type,
      requestId: requestIdOf(request, response),
      ...dispatched,
    });
  };
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
function toHeaders({ rawHeaders }: IncomingMessage): Record<string, string> {
  const pairs: Array<[string, string]> = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? '';
    if (name !== 'host') pairs.push([name, rawHeaders[at + 1] ?? '']);
  }
  return joinRepeated(pairs);
}

/** In one write: Express's own way to answer takes noticeably longer. */
function accept(response: ServerResponse, id: string, dispatched: Dispatched): void {
  const { started, signalled, queued } = dispatched;
  const body = JSON.stringify(queued ? { id, queued } : { id, started, signalled });
  response
    .writeHead(202, {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
      'NextEvent-Id': id.replace(NOT_VISIBLE_ASCII, encodeURIComponent),
    })
    .end(body);
}

/** What happened to an event, in a line: `hello post -> started approval-1, woke 2, no match 3`. */
function toLogLine(event: Event, { started, signalled, unmatched, queued }: Dispatched): string {
  const parts = [
    ...started.map((workflowId) => `started ${workflowId}`),
    ...(signalled > 0 ? [`woke ${signalled}`] : []),
    ...(queued ? ['queued'] : []),
    ...(unmatched > 0 ? [`no match ${unmatched}`] : []),
  ];
  return `${event.source} ${event.type} -> ${parts.join(', ') || 'nobody waits'}`;
}
