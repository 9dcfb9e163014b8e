// A receiver of webhooks that answers as a test says, and knows what came.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** What came. */
export interface Received {
  /** Of the event. */
  readonly id: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** When it had come, in milliseconds of this process's clock. */
  readonly at: number;
  /** How many were on their way then, with this one. */
  readonly atOnce: number;
}

/** A status, or all of an answer. */
export type Reply =
  | number
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    };

/** What it does with what comes; it may wait, and answer by itself if it gives nothing. */
export type Reaction = (
  received: Received,
  response: ServerResponse,
) => Promise<Reply | undefined> | Reply | undefined;

export class Receiver implements AsyncDisposable {
  readonly url: string;
  readonly received: Received[] = [];
  /** Can be replaced at any time. */
  react: Reaction;
  readonly #server: ReturnType<typeof createServer>;
  #open = 0;

  private constructor(server: ReturnType<typeof createServer>, react: Reaction) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.react = react;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      // A request that a sender breaks off is none.
      this.#take(request, response).catch(() => response.destroy());
    });
  }

  /** Takes everything, if nothing else is said. */
  static async start(react: Reaction = () => 200): Promise<Receiver> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Receiver(server, react);
  }

  /** The events that came, by their ids. */
  get ids(): string[] {
    return this.received.map(({ id }) => id);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#open += 1;
    response.once('close', () => (this.#open -= 1));
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const received = {
      id: body === '' ? '' : (JSON.parse(body) as { id: string }).id,
      path: request.url ?? '',
      headers: request.headers,
      body,
      at: performance.now(),
      atOnce: this.#open,
    };
    this.received.push(received);
    const reply = await this.react(received, response);
    if (reply === undefined) return;
    const answer = typeof reply === 'number' ? { status: reply } : reply;
    response.writeHead(answer.status, answer.headers ?? {}).end(answer.body ?? '');
  }
}
