// The transport to RabbitMQ: messages to an exchange, each confirmed by the broker.

import { setImmediate as turn } from 'node:timers/promises';

import type { Connection, Envelope, Publisher } from 'rabbitmq-client';

import { parseUrl } from './addresses.ts';
import { ListenerError } from './errors.ts';
import { seconds, toWords } from './failures.ts';
import type { OutboundRequest, SendResult, Transport } from './transport.ts';

const METHOD = 'PUBLISH';
const CONTENT_TYPE = /^content-type$/i;
const DEFAULT_VHOST = '/';
const LIBRARY = 'rabbitmq-client';

/** Ports that a url need not say. */
const PORTS: Readonly<Record<string, string>> = { 'amqp:': '5672', 'amqps:': '5671' };

/** How long it may take to have a connection and a channel, in milliseconds. */
const CONNECT_MS_MAX = 10_000;

/** A broker, and how to log in there. */
export interface AmqpOptions {
  /** `amqps://` or `amqp://`, the host, and the port if it is not the usual one. */
  readonly url: string;
  /** @default 'guest' */
  readonly username?: string;
  /**
   * The name of one of the configuration's `outbound.secrets`.
   *
   * @default the password is `guest`
   */
  readonly password?: { readonly secret: string };
}

/** Where a listener's messages go. */
interface Destination {
  readonly vhost: string;
  readonly exchange: string;
  /** `undefined`: the type of the event. */
  readonly routingKey: string | undefined;
}

/** A connection to one virtual host. */
interface Link {
  readonly connection: Connection;
  readonly publisher: Publisher;
  /** Messages that no queue took, by `keyOf`, until it is said of them that they failed. */
  readonly returned: string[];
  /** Why it is of no use any more. */
  error?: Error;
}

/**
 * Delivers to a RabbitMQ broker. It needs the package `rabbitmq-client`.
 *
 * A listener of this transport has a url `amqps://<broker>/<virtual host>/<exchange>?routingKey=<key>`.
 * The virtual host `/` is written `%2F`; without an exchange messages go to the queue that
 * the routing key names; without a routing key it is the event's type. Only urls of this
 * broker are taken, because it is sent the password.
 *
 * Messages are persistent, their body is that of the listener's dialect, their headers are those of
 * the listener, their `messageId` is the same for every attempt. One is delivered when the broker
 * has confirmed it, and failed if no queue took it.
 *
 * @throws ListenerError if the url is none of a broker alone
 *
 * @example
 * const transport = amqp({
 *   url: 'amqps://broker.example',
 *   username: 'shop',
 *   password: { secret: 'BROKER_PASSWORD' },
 * });
 */
export function amqp(options: AmqpOptions): Transport {
  const broker = toBroker(options.url);
  const links = new Map<string, Promise<Link>>();
  const linkTo = (vhost: string, request: OutboundRequest): Promise<Link> => {
    const opened = links.get(vhost);
    if (opened !== undefined) return opened;
    const link = openLink(options, { broker, vhost, request });
    links.set(vhost, link);
    // Whatever it was, the next attempt begins anew.
    const forget = (): unknown => links.get(vhost) === link && links.delete(vhost);
    link.then(({ connection }) => connection.once('error', forget), forget);
    return link;
  };
  return {
    ...(options.password && { secrets: [options.password.secret] }),
    check({ url }) {
      toDestination(broker, url);
    },
    async send(request) {
      const { vhost, ...destination } = toDestination(broker, request.url);
      const link = await linkTo(vhost, request);
      return publish(link, { vhost, ...destination }, request);
    },
    async close() {
      const closing = [...links.values()];
      links.clear();
      await Promise.allSettled(closing.map(async (link) => closeLink(await link)));
    },
  };
}

/** @throws ListenerError if it is anything but the address of a broker */
function toBroker(text: string): string {
  const { protocol, pathname, search } = parseUrl(text);
  if (PORTS[protocol] === undefined || !/^\/?$/.test(pathname) || search !== '') {
    throw new ListenerError(
      'amqp: url must be such as amqps://broker.example, with nothing after it',
    );
  }
  return brokerOf(parseUrl(text));
}

function brokerOf({ protocol, hostname, port }: URL): string {
  return `${protocol}//${hostname.toLowerCase()}:${port || PORTS[protocol]}`;
}

/** @throws ListenerError if the url is not of this broker, or malformed */
function toDestination(broker: string, text: string): Destination {
  const url = parseUrl(text);
  if (brokerOf(url) !== broker) throw new ListenerError(`the url is not one of ${broker}`);
  const [vhost = '', exchange = '', ...others] = url.pathname.slice(1).split('/').map(decode);
  if (others.length > 0) {
    throw new ListenerError('the url has more after its host than a virtual host and an exchange');
  }
  const routingKey = url.searchParams.get('routingKey') ?? undefined;
  const unknown = [...url.searchParams.keys()].find((name) => name !== 'routingKey');
  if (unknown !== undefined) throw new ListenerError(`the url has "${unknown}", not routingKey`);
  if (exchange === '' && routingKey === undefined) {
    throw new ListenerError('the url has neither an exchange nor a routingKey');
  }
  return { vhost: vhost || DEFAULT_VHOST, exchange, routingKey };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    throw new ListenerError('the url has malformed percent-encoding', { cause: error });
  }
}

async function openLink(
  { username = 'guest', password }: AmqpOptions,
  to: { readonly broker: string; readonly vhost: string; readonly request: OutboundRequest },
): Promise<Link> {
  const { protocol, hostname, port } = new URL(to.broker);
  const { Connection: Opened } = await loadLibrary();
  const connection = new Opened({
    hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
    port,
    vhost: to.vhost,
    username,
    password: password === undefined ? 'guest' : to.request.secret(password.secret),
    tls: protocol === 'amqps:',
    connectionName: 'nextevent',
    acquireTimeout: CONNECT_MS_MAX,
    connectionTimeout: CONNECT_MS_MAX,
  });
  const publisher = connection.createPublisher({ confirm: true });
  const link: Link = { connection, publisher, returned: [] };
  publisher.on('basic.return', ({ messageId = '', exchange, routingKey }) => {
    link.returned.push(keyOf(messageId, exchange, routingKey));
  });
  connection.on('error', (error: Error) => {
    link.error = error;
    // It would connect again by itself, and let every attempt wait meanwhile.
    connection.unsafeDestroy();
  });
  return link;
}

async function loadLibrary() {
  try {
    return await import('rabbitmq-client');
  } catch (error) {
    throw new Error(`amqp needs the package ${LIBRARY}: npm install ${LIBRARY}`, { cause: error });
  }
}

async function publish(
  link: Link,
  { exchange, routingKey }: Destination,
  request: OutboundRequest,
): Promise<SendResult> {
  const { event, id, body, signal, timeoutMs, headers } = request;
  const contentType = Object.entries(headers).find(([name]) => CONTENT_TYPE.test(name))?.[1];
  const key = routingKey ?? event.type;
  const sent = { method: METHOD, headers };
  const envelope = {
    exchange,
    routingKey: key,
    messageId: id,
    type: event.type,
    ...(contentType !== undefined && { contentType }),
    headers,
    durable: true,
    // What no queue takes comes back, instead of going nowhere with a confirmation.
    mandatory: true,
  };
  try {
    const isTaken = await untilAborted(confirm(link, envelope, body), signal);
    const message = isTaken
      ? 'confirmed by the broker'
      : `no queue takes messages with the key ${key}`;
    return { isSuccessful: isTaken, message, sent };
  } catch (error) {
    const words = signal.aborted ? undefined : wordsOf(link.error ?? error, timeoutMs);
    const message = words ?? `no confirmation within ${seconds(timeoutMs)}`;
    return { isSuccessful: false, message, sent };
  }
}

/** Whether a queue has taken the message, once the broker has confirmed it. */
async function confirm(link: Link, envelope: Envelope, body: Uint8Array): Promise<boolean> {
  const { messageId = '', exchange = '', routingKey = '' } = envelope;
  await link.publisher.send(envelope, Buffer.from(body));
  // What came back came before the confirmation, but the library tells of it one turn later.
  await turn();
  const at = link.returned.indexOf(keyOf(messageId, exchange, routingKey));
  if (at >= 0) link.returned.splice(at, 1);
  return at < 0;
}

function keyOf(...parts: readonly [id: string, exchange: string, routingKey: string]): string {
  return JSON.stringify(parts);
}

/** In the broker's words, if it was the broker that refused. */
function wordsOf(error: unknown, timeoutMs: number): string {
  const words = toWords(error, timeoutMs);
  if (words !== undefined) return words;
  return `the broker refused: ${error instanceof Error ? error.message : String(error)}`;
}

/** What is sent can not be taken back: it may arrive after all, and again with the next attempt. */
function untilAborted<T>(sending: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    sending.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

async function closeLink(link: Link): Promise<void> {
  try {
    await link.publisher.close();
  } finally {
    // One that was destroyed never says that it is closed.
    if (link.error === undefined) await link.connection.close();
  }
}
