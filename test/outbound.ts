// Listeners without Temporal: what an attempt does, against receivers that run here.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server as TcpServer,
  type Socket,
} from 'node:net';

import { resolveOutbound, toDefinition, type Outbound } from '../config/outbound.ts';
import type { Event } from '../events/event.ts';
import type { AttemptRecord } from '../events/listener.ts';
import { makeAttempt, type AttemptParts } from '../outbound/attempt.ts';
import { closeTransports } from '../outbound/outbound.ts';
import { createWebhookTransport, type WebhookOptions } from '../outbound/webhook.ts';

export const SOURCES: ReadonlySet<string> = new Set(['orders', 'members']);

export const bob: Event = {
  id: 'e-1',
  source: 'members',
  type: 'member.added',
  time: '2026-11-21T12:00:00.000Z',
  data: 'Bob',
};

/** This machine is reachable, by its address 127.0.0.1 alone. */
export const HERE = { http: true, addresses: ['127.0.0.1'], ports: 'any' } as const;

/** A request as a receiver saw it. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The settings that options mean; what takes connections here is reachable. */
export function outboundOf(
  options: object = {},
  webhook: Omit<WebhookOptions, 'rules'> = {},
): Outbound {
  const outbound = resolveOutbound({ allow: HERE, ...options }, SOURCES);
  const transport = createWebhookTransport({ rules: outbound.allow, ...webhook });
  return { ...outbound, transports: new Map([...outbound.transports, ['webhook', transport]]) };
}

/** One attempt of a listener that is defined so, and the end of its connections. */
export async function attemptOf(
  outbound: Outbound,
  listener: object,
  parts: Partial<AttemptParts> = {},
): Promise<AttemptRecord> {
  const definition = toDefinition(listener, { sources: SOURCES, outbound });
  const { signal } = new AbortController();
  try {
    return await makeAttempt(outbound, {
      definition,
      event: bob,
      reason: 'event',
      signal,
      ...parts,
    });
  } finally {
    await closeTransports(outbound);
  }
}

/** A receiver that keeps what it sees. */
export class Receiver {
  readonly seen: Seen[] = [];
  connections = 0;
  readonly server: Server | TcpServer;

  constructor(server: Server | TcpServer) {
    this.server = server;
    server.on('connection', () => {
      this.connections += 1;
    });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hooks`;
  }
}

const open: Array<() => void> = [];

/** Ends all receivers, with every connection to them. */
export function stopReceivers(): void {
  for (const stop of open.splice(0)) stop();
}

/** A receiver that answers so, or 200 to whatever comes. It listens on every address of the machine. */
export async function startReceiver(
  answer: (response: ServerResponse, seen: Seen) => void = (response) => response.end('ok'),
  server: Server = createServer(),
): Promise<Receiver> {
  const receiver = new Receiver(server);
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const seen = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: Object.fromEntries(
          Object.entries(request.headersDistinct).map(([name, values]) => [name, String(values)]),
        ),
        body: Buffer.concat(chunks).toString(),
      };
      receiver.seen.push(seen);
      answer(response, seen);
    });
  });
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  open.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return receiver;
}

/** A receiver that does this with each connection, once something has come. */
export async function startRawReceiver(talk: (socket: Socket) => void): Promise<Receiver> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => talk(socket));
  });
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  open.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return new Receiver(server);
}
