// An ingress in the process of the test, which answers HTTP on a free port.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

import { createApiKey, type CreatedKey } from '../config/api-keys.ts';
import type { Config } from '../config/config.ts';
import { HOST } from '../dev/ports.ts';
import { createDispatcher } from '../dispatch/dispatcher.ts';
import type { Inspection } from '../dispatch/inspection.ts';
import { createApp, createServer } from '../ingress/app.ts';
import { isPublished } from '../ingress/sources/published.ts';
import { NotAcceptedError } from './errors.ts';
import type { TestServer } from './server.ts';

/** An ingress that runs. */
export interface TestIngress {
  readonly url: string;
  /** What it has printed: one line per event, and one per failure. */
  readonly lines: readonly string[];
  /** What operators see. */
  readonly inspection: Inspection;
  /** An API key for its sources of published events, if it has some; good for as long as it runs. */
  readonly publisherKey: string | undefined;
  stop(): Promise<void>;
}

export async function startIngress(
  { connectionOptions, namespace }: Pick<TestServer, 'connectionOptions' | 'namespace'>,
  { sources, triggers, rateLimits }: Pick<Config, 'sources' | 'triggers' | 'rateLimits'>,
): Promise<TestIngress> {
  const names = [...sources.keys()];
  const dispatcher = await createDispatcher({
    connectionOptions,
    namespace,
    sources: names,
    triggers,
  });
  const lines: string[] = [];
  const publisher = createPublisher(sources);
  const app = createApp({
    sources,
    dispatcher,
    ready: () => Promise.resolve([]),
    log: (line, { level } = {}) => {
      if (level !== 'debug') lines.push(line);
    },
    ...(publisher && { apiKeys: [publisher.entry] }),
    ...(rateLimits && { rateLimits }),
  });
  const server = createServer(app).listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${HOST}:${port}`,
    lines,
    inspection: dispatcher.inspection,
    publisherKey: publisher?.key,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      await dispatcher.close();
    },
  };
}

function createPublisher(sources: Config['sources']): CreatedKey | undefined {
  const names = [...sources].flatMap(([name, source]) => (isPublished(source) ? [name] : []));
  if (names.length === 0) return undefined;
  return createApiKey({ name: 'tests', role: 'publisher', sources: names });
}

/** What the ingress answered. */
export interface Answer {
  readonly status: number;
  /** The id of the event; empty if the request was none, or several. */
  readonly id: string;
  /** The ids of the workflows that it started, now or when it came before; not told if queued. */
  readonly started: readonly string[];
  /** How many workflows were signalled; not told if queued. */
  readonly signalled: number;
  /** Whether it waits in the backlog of its source, which hands it to those that want it. */
  readonly queued: boolean;
}

/** What it answers instead, when it does not accept. */
interface Problem {
  readonly title: string;
  readonly detail: string;
}

/** What is sent to a source. */
export interface Delivery {
  /** What comes after `/webhooks/`. */
  readonly source: string;
  /** What comes after the source. */
  readonly suffix?: string;
  /** Text and bytes are sent as they are, everything else as JSON. */
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/**
 * Sends a request to a source, as its sender would.
 *
 * @throws NotAcceptedError for any answer that is not 2xx
 */
export async function deliver(url: string, delivery: Delivery): Promise<Answer> {
  const { source, suffix = '', body, headers } = delivery;
  const isRaw = typeof body === 'string' || body instanceof Uint8Array;
  const response = await fetch(`${url}/webhooks/${source}${suffix}`, {
    method: 'POST',
    headers: { ...(!isRaw && { 'content-type': 'application/json' }), ...headers },
    body: isRaw ? body : JSON.stringify(body),
  });
  const { status } = response;
  const answer = toAnswer(await response.text());
  if (response.ok) {
    // Some providers need to hear something else, but the id is always told here.
    const id = decodeURIComponent(response.headers.get('nextevent-id') ?? '');
    return { id, started: [], signalled: 0, queued: false, ...answer, status };
  }
  const why = answer.detail ?? answer.title ?? '';
  throw new NotAcceptedError(`source ${source} answered ${status}: ${why}`, status);
}

function toAnswer(text: string): Partial<Answer & Problem> {
  try {
    return JSON.parse(text) as Partial<Answer & Problem>;
  } catch {
    return {}; // Not all providers are told JSON.
  }
}

/** A CloudEvent, as applications publish it. */
export interface EventToPublish {
  readonly type: string;
  readonly data?: unknown;
  /** @default a new UUID */
  readonly id?: string;
  /** @default '/tests' */
  readonly source?: string;
  readonly subject?: string;
}

/**
 * Publishes an event to a source, as an application would.
 *
 * @throws NotAcceptedError for any answer but 202
 */
export async function publish(
  { url, publisherKey }: Pick<TestIngress, 'url' | 'publisherKey'>,
  source: string,
  event: EventToPublish,
): Promise<Pick<Answer, 'id'>> {
  const response = await fetch(`${url}/events/${source}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/cloudevents+json',
      authorization: `Bearer ${publisherKey ?? ''}`,
    },
    body: JSON.stringify({ specversion: '1.0', id: randomUUID(), source: '/tests', ...event }),
  });
  const { id, detail = '' } = (await response.json()) as Pick<Answer, 'id'> & Partial<Problem>;
  if (response.status === 202) return { id };
  throw new NotAcceptedError(
    `source ${source} answered ${response.status}: ${detail}`,
    response.status,
  );
}
