// A project with listeners: its worker, its ingress, and its management API on a free port.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

import { ListenerClient } from '../dispatch/listener-client.ts';
import { createApi } from '../ingress/api.ts';
import { createServer } from '../ingress/app.ts';
import { createListeners } from '../ingress/listeners.ts';
import { startApp, type AppOptions, type TestApp, type TestServer } from './harness.ts';

/** What an answer has, whatever it is. */
export type Body = Readonly<Record<string, unknown>>;

export interface Answered {
  readonly status: number;
  readonly body: Body;
}

export interface ListeningApp {
  readonly app: TestApp;
  readonly listeners: ListenerClient;
  /** Where the management API is. */
  readonly url: string;
  readonly ask: (method: string, path: string, body?: unknown) => Promise<Answered>;
  /** What is there, or was created. */
  readonly get: (path: string) => Promise<Body>;
  readonly post: (path: string, body?: unknown) => Promise<Body>;
  readonly stop: () => Promise<void>;
}

export async function startListening(
  server: TestServer,
  options: AppOptions,
): Promise<ListeningApp> {
  const app = await startApp(server, options);
  await app.deploy();
  const { listeners } = createListeners(app.client, app.config);
  assert.ok(listeners);
  const { sources } = app.config;
  const { inspection } = app.ingress;
  const lines: string[] = [];
  const log = (line: string): void => {
    lines.push(line);
  };
  const api = createServer(createApi({ sources, inspection, log, listeners }));
  api.listen(0, '127.0.0.1');
  await once(api, 'listening');
  const url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
  const ask = async (method: string, path: string, body?: unknown): Promise<Answered> => {
    const response = await fetch(url + path, {
      method,
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
    return { status: response.status, body: (await response.json()) as Body };
  };
  const asked = async (method: string, path: string, body?: unknown): Promise<Body> => {
    const answered = await ask(method, path, body);
    assert.ok(answered.status < 300, `${path}: ${JSON.stringify(answered.body)} ${lines.at(-1)}`);
    return answered.body;
  };
  return {
    app,
    listeners: listeners.client,
    url,
    ask,
    get: (path) => asked('GET', path),
    post: (path, body) => asked('POST', path, body),
    async stop() {
      api.close();
      api.closeAllConnections();
      await app.stop();
    },
  };
}
