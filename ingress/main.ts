// The ingress process. Its settings: nextevent.config.ts, nextevent.keys.json, HOST and PORT,
// MANAGEMENT_HOST and MANAGEMENT_PORT, and the environment and profile file that Temporal's own
// tools read.

import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import express from 'express';

import { checkKeysFile, loadApiKeys } from '../config/api-keys.ts';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { startLog, type Log } from '../config/log.ts';
import { createDispatcher } from '../dispatch/dispatcher.ts';
import type { Event } from '../events/event.ts';
import { SOURCE_TASK_QUEUE } from '../workflows/messages.ts';
import { createApi } from './api.ts';
import { createApp, createServer } from './app.ts';
import { checkManagementHost, describeKeys } from './keys/start.ts';
import { createListeners } from './listeners.ts';
import { whyNoMatch, type Candidate } from './no-match.ts';
import { createReadiness } from './readiness.ts';
import { describeRetention } from './retention.ts';
import { isPublished } from './sources/published.ts';
import { isOpen } from './sources/webhook.ts';
import { Telemetry } from './telemetry.ts';
import { describeOff } from './webhooks.ts';

const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 8088;

/** Until there are keys to it, the management API is for this machine alone. */
const DEFAULT_MANAGEMENT_HOST = '127.0.0.1';

/** Two ingresses on one machine are rather at ports next to each other. */
const MANAGEMENT_DISTANCE = 1_000;
const PORT_MAX = 65_535;

/** The address at which Prometheus finds `/metrics`, beside the management API. */
const METRICS_VARIABLE = 'INGRESS_METRICS_ADDRESS';
const ADDRESS = /^\[?([^[\]]+)\]?:(\d{1,5})$/;

/** How long requests in flight have, once the process was asked to end. */
const SHUTDOWN_MS_MAX = 30_000;

/** How often connections whose last request has ended since are closed. */
const CLOSE_IDLE_EVERY_MS = 100;

/** Something outside the process is not as it must be, and the message says what. */
class StartError extends Error {
  override readonly name = 'StartError';
}

interface Temporal {
  readonly connection: Connection;
  readonly dispatcher: Awaited<ReturnType<typeof createDispatcher>>;
  readonly namespace: string;
}

try {
  await main(startLog(process.env));
} catch (error) {
  // For whoever starts it, whatever form the log has.
  process.stderr.write(`${toSentence(error)}\n`);
  process.exit(1);
}

async function main(log: Log): Promise<void> {
  const host = process.env.HOST || DEFAULT_HOST;
  const requestedPort = toPort('PORT', DEFAULT_PORT);
  const trusted = trustedProxies();
  const config = await loadConfig();
  checkKeysFile();
  const apiKeys = loadApiKeys();
  const guards = { apiKeys, ...(config.rateLimits && { rateLimits: config.rateLimits }) };
  for (const line of describeKeys(apiKeys, config.sources)) console.log(line);
  const managementHost = process.env.MANAGEMENT_HOST || DEFAULT_MANAGEMENT_HOST;
  checkManagementHost(managementHost, apiKeys);
  const telemetry = new Telemetry([...config.sources.keys()]);
  const { connection, dispatcher, namespace } = await connect(config, telemetry);
  const { inspection } = dispatcher;
  telemetry.watch(inspection);
  const app = createApp({
    sources: config.sources,
    dispatcher,
    ready: createReadiness({
      connection,
      namespace,
      taskQueues: [config.taskQueue, SOURCE_TASK_QUEUE],
    }),
    log,
    observer: telemetry,
    // Set by the dev runtime alone.
    ...(process.env.NEXTEVENT_EXPLAIN === '1' && {
      explain: (event: Event) => whyNoMatch(event, candidatesOf(config, dispatcher, event.source)),
    }),
    ...guards,
  });
  if (trusted !== undefined) app.set('trust proxy', trusted);
  const server = createServer(app);
  const port = await listen(server, { host, port: requestedPort, variable: 'PORT' });
  const listeners = createListeners(new Client({ connection, namespace }), config);
  const api = createServer(
    createApi({ sources: config.sources, inspection, telemetry, log, ...listeners, ...guards }),
  );
  const managementPort = await listenForOperators(api, managementHost, port);
  const metrics = await listenForMetrics(telemetry);
  onceAskedToEnd(async () => {
    await Promise.all([server, api, ...(metrics ? [metrics] : [])].map(closeServer));
    await dispatcher.close();
    await connection.close();
  });
  console.log(`ingress listening on ${toUrl(host, port)}`);
  console.log(`management API on ${toUrl(managementHost, managementPort)}/api/v1`);
  for (const [name, source] of config.sources) {
    if (source.missing.length > 0) console.log(describeOff(name, source));
  }
  const retention = await describeRetention(connection, namespace);
  if (retention !== undefined) console.log(retention);
  const published = [...config.sources].flatMap(([name, one]) => (isPublished(one) ? [name] : []));
  const sources = [...config.sources.keys()].filter((name) => !published.includes(name));
  const open = openSources(config);
  process.send?.({ type: 'ready', port, managementPort, sources, published, open });
}

/** Those that answer any request with 202, as no workflow answers in its place. */
function openSources({ sources, triggers }: Config): readonly string[] {
  const answering = triggers.filter(({ respondMsMax }) => respondMsMax !== undefined);
  return [...sources].flatMap(([name, source]) =>
    isOpen(source) && answering.every((trigger) => trigger.source !== name) ? [name] : [],
  );
}

function toUrl(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** First the triggers, of which there are few. */
function* candidatesOf(
  { triggers }: Config,
  { inspection }: Temporal['dispatcher'],
  source: string,
): Iterable<Candidate> {
  for (const trigger of triggers) if (trigger.source === source) yield trigger;
  for (const { workflowId, filter } of inspection.known(source)) {
    yield { name: workflowId, filter };
  }
}

function toPort(variable: string, fallback: number): number {
  const text = process.env[variable] || String(fallback > PORT_MAX ? 0 : fallback);
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= PORT_MAX) return port;
  throw new StartError(`${variable} is "${text}", must be a number from 0 to ${PORT_MAX}`);
}

/** A number of proxies, or their addresses: as Express has it, which says what it takes. */
function trustedProxies(): number | string | undefined {
  const { TRUST_PROXY: text } = process.env;
  if (!text) return undefined;
  const trusted = /^\d+$/.test(text) ? Number(text) : text;
  try {
    express().set('trust proxy', trusted);
  } catch (error) {
    const must = 'must be a number of proxies, or their addresses, such as 10.0.0.0/8';
    throw new StartError(`TRUST_PROXY is "${text}", ${must}`, { cause: error });
  }
  return trusted;
}

/** On the port that is named. If none is: at a distance from that of the webhooks, or on any. */
async function listenForOperators(
  api: Server,
  host: string,
  webhooksPort: number,
): Promise<number> {
  const named = toPort('MANAGEMENT_PORT', webhooksPort + MANAGEMENT_DISTANCE);
  const place = { host, port: named, variable: 'MANAGEMENT_PORT' };
  if (process.env.MANAGEMENT_PORT) return listen(api, place);
  return listen(api, place).catch(() => listen(api, { ...place, port: 0 }));
}

/** Where Prometheus can get at it: the management API is for this machine alone. */
async function listenForMetrics({ answerMetrics }: Telemetry): Promise<Server | undefined> {
  const address = process.env[METRICS_VARIABLE];
  if (!address) return undefined;
  const [, host, port] = ADDRESS.exec(address) ?? [];
  if (host === undefined || Number(port) > PORT_MAX) {
    throw new StartError(`${METRICS_VARIABLE} is "${address}", must be such as 0.0.0.0:9464`);
  }
  const app = express().disable('x-powered-by').get('/metrics', answerMetrics);
  const server = createServer(app);
  await listen(server, { host, port: Number(port), variable: METRICS_VARIABLE });
  return server;
}

async function connect(config: Config, observer: Telemetry): Promise<Temporal> {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  try {
    const connection = await Connection.connect(connectionOptions);
    const dispatcher = await createDispatcher({
      connectionOptions,
      namespace,
      sources: [...config.sources.keys()],
      triggers: config.triggers,
      observer,
    });
    return { connection, dispatcher, namespace };
  } catch (error) {
    const address = connectionOptions.address ?? 'localhost:7233';
    const why = error instanceof Error ? error.message : String(error);
    throw new StartError(`Temporal at ${address} can not be reached: ${why}`, { cause: error });
  }
}

interface Place {
  readonly host: string;
  readonly port: number;
  /** The environment variable that says the port. */
  readonly variable: string;
}

async function listen(server: Server, place: Place): Promise<number> {
  server.listen(place.port, place.host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new StartError(whyNotListening(error, place), { cause: error });
  }
  return (server.address() as AddressInfo).port;
}

function whyNotListening(error: unknown, { host, port, variable }: Place): string {
  const address = `${host}:${port}`;
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return `${address} is taken: stop what listens there, or set ${variable} to another port`;
  }
  return `can not listen on ${address}: ${error instanceof Error ? error.message : String(error)}`;
}

/** Signals are repeated, for example by a terminal and a parent process: only the first counts. */
function onceAskedToEnd(close: () => Promise<void>): void {
  let isEnding = false;
  const end = () => {
    if (isEnding) return;
    isEnding = true;
    close().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(toSentence(error));
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  // The parent has gone, and nobody else would end this process.
  process.on('disconnect', end);
}

/** Takes no more connections, and waits for the requests in flight. */
async function closeServer(server: Server): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), SHUTDOWN_MS_MAX);
  // A client that keeps its connection open after an answer would be waited for, too.
  const closeIdle = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
  const closed = once(server, 'close');
  server.close();
  await closed;
  clearInterval(closeIdle);
  clearTimeout(cut);
}

function toSentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isExpected = error.name === 'StartError' || error.name === 'ConfigError';
  return isExpected ? error.message : (error.stack ?? error.message);
}
