// How many requests per second the ingress verifies and accepts, against the source that verifies
// nothing: the same bytes, signed before the clock runs, to one source and to the other.
//
// The ingress is a process of its own, and nobody waits for the events: so all that Temporal does
// is to tell that, and verifying weighs as much as it can. The kinds take turns round by round.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

import { sampleDraft } from '../ingress/samples/to-draft.ts';
import type { Draft, Source } from '../ingress/sources/source.ts';
import { github, stripe } from '../nextevent.ts';
import { startProcess, startServer } from '../test/harness.ts';
import { round } from './statistics.ts';
import { VERIFY_SECRET } from './verify-secret.ts';

const CONNECTIONS = 16;
const REQUESTS = 1_500;
const WARM_UP_ROUNDS = 3;
const ROUNDS = 20;

interface Kind {
  readonly name: 'github' | 'stripe';
  readonly sample: string;
  readonly source: Source;
}

const KINDS: readonly Kind[] = [
  { name: 'github', sample: 'pull_request.opened', source: github({ secret: VERIFY_SECRET }) },
  {
    name: 'stripe',
    sample: 'payment_intent.succeeded',
    source: stripe({ secret: VERIFY_SECRET }),
  },
];

/** Seconds that the requests of a kind took, to its own source and to the one that is open. */
interface Times {
  verified: number;
  open: number;
}

/** Measures, and prints a table and one line of JSON. */
export async function verify(): Promise<void> {
  console.log(
    `${ROUNDS} rounds of ${REQUESTS} requests for each, after ${WARM_UP_ROUNDS} to warm up, ` +
      `over ${CONNECTIONS} connections; nobody waits for the events\n`,
  );
  const server = await startServer();
  const ingress = await startProcess('ingress', {
    TEMPORAL_ADDRESS: server.address,
    NEXTEVENT_CONFIG: fileURLToPath(new URL('verify.config.ts', import.meta.url)),
  });
  const connections = await openConnections(ingress.url);
  try {
    await takeTurns(connections, WARM_UP_ROUNDS);
    print(await takeTurns(connections, ROUNDS));
  } finally {
    for (const connection of connections) connection.close();
    await ingress.kill();
    await server.stop();
  }
}

async function takeTurns(
  connections: readonly KeptConnection[],
  rounds: number,
): Promise<Record<Kind['name'], Times>> {
  const times = { github: { verified: 0, open: 0 }, stripe: { verified: 0, open: 0 } };
  for (let turn = 0; turn < rounds; turn += 1) {
    for (const kind of turn % 2 === 0 ? KINDS : KINDS.toReversed()) {
      const drafts = Array.from({ length: REQUESTS }, (_, index) =>
        signed(kind, `${turn}-${index}`),
      );
      // Who comes first changes, too, and not in step with the kinds.
      const order =
        turn % 4 < 2 ? (['verified', 'open'] as const) : (['open', 'verified'] as const);
      for (const to of order) {
        const path = `/webhooks/${to === 'open' ? 'open' : kind.name}`;
        times[kind.name][to] += await post(
          connections,
          drafts.map((one) => toBytes(path, one)),
        );
      }
    }
  }
  return times;
}

function signed({ source, sample }: Kind, id: string): Draft {
  const fresh = { id: `${id}-${process.pid}`, at: new Date() };
  const draft = sampleDraft(source.kind, sample, fresh);
  if (draft === undefined) throw new Error(`there is no sample ${sample}`);
  return source.sign(draft, fresh);
}

function toBytes(path: string, { headers, body }: Draft): Buffer {
  const lines = Object.entries({ ...headers, 'content-length': Buffer.byteLength(body) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.from(`POST ${path} HTTP/1.1\r\nhost: bench\r\n${head}\r\n${body}`);
}

/** The seconds until all of them are accepted. */
async function post(
  connections: readonly KeptConnection[],
  requests: readonly Buffer[],
): Promise<number> {
  const left = requests[Symbol.iterator]();
  const startedAt = performance.now();
  await Promise.all(
    connections.map(async (connection) => {
      for (let next = left.next(); next.done !== true; next = left.next()) {
        await connection.post(next.value);
      }
    }),
  );
  return (performance.now() - startedAt) / 1_000;
}

async function openConnections(url: string): Promise<readonly KeptConnection[]> {
  const { hostname, port } = new URL(url);
  return Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const socket = connect(Number(port), hostname);
      await once(socket, 'connect');
      return new KeptConnection(socket);
    }),
  );
}

/** One request after the other, with as little work as can be: that is for the ingress to have. */
class KeptConnection {
  readonly #socket: Socket;
  #received = '';
  #answered: ((answer: string) => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket.setNoDelay(true).setEncoding('latin1');
    socket.on('data', (part: string) => this.#take(part));
  }

  async post(request: Buffer): Promise<void> {
    const answer = new Promise<string>((resolve) => (this.#answered = resolve));
    this.#socket.write(request);
    const received = await answer;
    if (!received.startsWith('HTTP/1.1 202 ')) throw new Error(`not accepted: ${received}`);
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(part: string): void {
    this.#received += part;
    const bodyAt = this.#received.indexOf('\r\n\r\n') + 4;
    const length = /\r\ncontent-length: (\d+)/i.exec(this.#received)?.[1];
    if (bodyAt < 4 || length === undefined) return;
    if (this.#received.length < bodyAt + Number(length)) return;
    const answer = this.#received;
    this.#received = '';
    this.#answered?.(answer);
  }
}

function print(times: Readonly<Record<Kind['name'], Times>>): void {
  const toRow = ({ verified, open }: Times): Record<string, number> => ({
    'verified/s': perSecond(verified),
    'unverified/s': perSecond(open),
    ratio: round(open / verified),
  });
  console.table({ github: toRow(times.github), stripe: toRow(times.stripe) });
  console.log(
    JSON.stringify({
      bench: 'verify',
      github_ratio: round(times.github.open / times.github.verified),
      stripe_ratio: round(times.stripe.open / times.stripe.verified),
    }),
  );
}

function perSecond(seconds: number): number {
  return Math.round((ROUNDS * REQUESTS) / seconds);
}
