// So many random requests to an ingress and its management API, in a process of its own: nothing
// crashes, every answer is a defined one, and nothing that they leave behind grows.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { createApiKey, saveApiKeys } from '../config/api-keys.ts';
import { resolveConfig } from '../config/config.ts';
import { sideBySide } from '../dispatch/side-by-side.ts';
import { converse } from './converse.ts';
import {
  post,
  startProcess,
  startServer,
  until,
  type TestProcess,
  type TestServer,
} from './harness.ts';
import type { Held } from './measured-ingress.ts';
import config from './random-requests.config.ts';
import { createConversation, Random, type Conversation } from './random-requests.ts';
import { resultOf } from './received.ts';

const CONFIG = fileURLToPath(new URL('random-requests.config.ts', import.meta.url));
const INGRESS = fileURLToPath(new URL('measured-ingress.ts', import.meta.url));

const CONNECTIONS = 32;

/** How often it is measured what the ingress holds. */
const MEASUREMENTS = 5;

/**
 * What it may hold more of at the end than after the first fifth: what it remembers of the last
 * events and refusals has bounds, and is not full by then.
 */
const GROWTH_BYTES_MAX = 8 * 1024 * 1024;

/** Connections to Temporal, and the server's own. */
const SOCKETS_MAX = 20;

/** Each of them has to come up, or the requests were not what they are meant to be. */
const EXPECTED: readonly number[] = [200, 202, 204, 400, 401, 403, 404, 405, 413, 415, 431];

export interface Outcome {
  readonly requests: number;
  readonly seconds: number;
  /** How often each status was answered. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly held: readonly Held[];
}

/** Sends them, and checks everything that must hold. */
export async function sendRandomRequests(count: number, seed: number): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), 'nextevent-random-'));
  const server = await startServer();
  const publisher = createApiKey({ name: 'random', role: 'publisher', sources: ['told'] });
  const keys = join(directory, 'keys.json');
  saveApiKeys([publisher.entry], keys);
  const env = {
    NEXTEVENT_CONFIG: CONFIG,
    NEXTEVENT_KEYS: keys,
    TEMPORAL_ADDRESS: server.connectionOptions.address ?? '',
    MANAGEMENT_PORT: '0',
  };
  const worker = await startProcess('worker', env);
  const ingress = await startProcess('ingress', env, { module: INGRESS, args: ['--expose-gc'] });
  try {
    const { sources } = resolveConfig(config, directory);
    const random = new Random(seed);
    const create = (): Conversation => createConversation(random, { sources, key: publisher.key });
    const outcome = await sendAll(ingress, { count, create });
    await checkAlive(ingress, server.client);
    return outcome;
  } finally {
    await ingress.kill();
    await worker.kill();
    await server.stop();
    await rm(directory, { recursive: true });
  }
}

async function sendAll(
  ingress: TestProcess,
  { count, create }: { readonly count: number; readonly create: () => Conversation },
): Promise<Outcome> {
  const statuses: Record<string, number> = {};
  const held: Held[] = [];
  const ports = {
    webhooks: Number(new URL(ingress.url).port),
    management: ingress.managementPort ?? 0,
  };
  let requests = 0;
  const startedAt = performance.now();
  while (held.length < MEASUREMENTS) {
    const end = (count * (held.length + 1)) / MEASUREMENTS;
    function* conversations(): Iterable<Conversation> {
      while (requests < end) {
        const conversation = create();
        requests += conversation.requests.length + (conversation.last ? 1 : 0);
        yield conversation;
      }
    }
    await sideBySide(conversations(), CONNECTIONS, async (conversation) => {
      for (const { status } of await converse(ports[conversation.to], conversation)) {
        statuses[status] = (statuses[status] ?? 0) + 1;
      }
    });
    held.push(await measure(ingress));
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  for (const status of EXPECTED) assert.ok(statuses[status], `${status} was answered`);
  const [first, last] = [held[0], held.at(-1)];
  assert.ok(first && last);
  const growth = last.bytes - first.bytes;
  assert.ok(growth < GROWTH_BYTES_MAX, `it holds ${growth} bytes more: ${JSON.stringify(held)}`);
  return { requests, seconds, statuses, held };
}

/** The process is the one that was started, and an event takes its way. */
async function checkAlive(ingress: TestProcess, client: TestServer['client']): Promise<void> {
  assert.deepEqual([ingress.child.exitCode, ingress.child.signalCode], [null, null]);
  assert.doesNotMatch(ingress.output(), / failed: /);
  const body = { normal: 'yes' };
  const { status } = await post(ingress.url, { source: 'open', id: 'after all that', body });
  assert.equal(status, 202);
  const started = client.workflow.getHandle('on-normal/after all that');
  assert.equal(await resultOf<string>(started), 'after all that');
}

/** What the ingress holds once its connections are gone. */
function measure({ child }: TestProcess): Promise<Held> {
  return until('the connections are gone', async () => {
    const held = await new Promise<Held>((resolve) => {
      child.on('message', function take(message: { type: string; held: Held }) {
        if (message.type !== 'held') return;
        child.off('message', take);
        resolve(message.held);
      });
      child.send('measure');
    });
    return held.sockets <= SOCKETS_MAX && held;
  });
}
