// How the worker and the ingress find their Temporal: by the environment and the profile file that
// Temporal's own tools read.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import {
  connect,
  createSecureServer,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Client } from '@temporalio/client';

import { HOST } from '../dev/ports.ts';
import {
  postUntilAccepted,
  startProcess,
  startServer,
  until,
  type TestProcess,
  type TestServer,
} from './harness.ts';

const CONFIG = fileURLToPath(new URL('kill.config.ts', import.meta.url));
const CERTIFICATE = fileURLToPath(new URL('certificates/temporal.crt.pem', import.meta.url));
const KEY = fileURLToPath(new URL('certificates/temporal.key.pem', import.meta.url));

/** What the certificate is for. */
const CERTIFIED_NAME = 'temporal.example';

/** Beside `default`, which is what is used if nothing is said. */
const NAMESPACE = 'elsewhere';

describe('A worker and an ingress', { timeout: 300_000 }, () => {
  let server: TestServer;
  let directory: string;

  before(async () => {
    server = await startServer({ arguments: [`--namespace=${NAMESPACE}`] });
    directory = await mkdtemp(join(tmpdir(), 'nextevent-settings-'));
  });
  after(async () => {
    await server.stop();
    await rm(directory, { recursive: true });
  });

  const writeProfile = async (text: string): Promise<string> => {
    const file = join(directory, 'temporal.toml');
    await writeFile(file, text);
    return file;
  };

  const isStarted = async (namespace: string, eventId: string): Promise<boolean> => {
    const { connection } = server.client;
    const client = new Client({ connection, namespace });
    const { count } = await client.workflow.count(`WorkflowId = 'on-ingress/${eventId}'`);
    return count > 0;
  };

  /** With these settings, an event starts a workflow. */
  const startsBy = async (
    settings: Readonly<Record<string, string>>,
    id: string,
  ): Promise<void> => {
    const env = { ...settings, NEXTEVENT_CONFIG: CONFIG, MANAGEMENT_PORT: '0' };
    const processes: TestProcess[] = [];
    try {
      processes.push(await startProcess('worker', env));
      const ingress = await startProcess('ingress', env);
      processes.push(ingress);
      await postUntilAccepted([ingress.url], { source: 'ingress', body: {}, id });
      await until('the workflow is there', () => isStarted(NAMESPACE, id));
    } finally {
      await Promise.all(processes.map((process) => process.kill()));
    }
  };

  test('use the namespace of the environment', async () => {
    const env = { TEMPORAL_ADDRESS: server.address, TEMPORAL_NAMESPACE: NAMESPACE };
    await startsBy(env, 'e1');
    assert.equal(await isStarted('default', 'e1'), false);
  });

  test('use address and namespace of the profile that is named', async () => {
    const file = await writeProfile(`
      [profile.default]
      address = "${HOST}:1"
      [profile.second]
      address = "${server.address}"
      namespace = "${NAMESPACE}"`);
    const env = { TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'second' };
    await startsBy(env, 'e2');
    assert.equal(await isStarted('default', 'e2'), false);
  });

  test('use TLS and API key of the profile for every call', async () => {
    await using endpoint = await startTlsEndpoint(server.address);
    const file = await writeProfile(`
      [profile.default]
      address = "${endpoint.address}"
      namespace = "${NAMESPACE}"
      api_key = "s3cr3t"
      [profile.default.tls]
      server_name = "${CERTIFIED_NAME}"
      server_ca_cert_path = "${CERTIFICATE}"`);
    await startsBy({ TEMPORAL_CONFIG_FILE: file }, 'e3');
    for (const method of ['PollWorkflowTaskQueue', 'StartWorkflowExecution']) {
      assert.ok(
        endpoint.calls.some(({ path }) => path.endsWith(`/${method}`)),
        method,
      );
    }
    const withoutKey = endpoint.calls.filter((call) => call.authorization !== 'Bearer s3cr3t');
    assert.deepEqual(withoutKey, []);
  });
});

interface Call {
  readonly path: string;
  readonly authorization: string | undefined;
}

/** Takes TLS alone, hands what is asked to a server, and notes who says to be whom. */
async function startTlsEndpoint(address: string) {
  const calls: Call[] = [];
  const upstream = connect(`http://${address}`);
  const sessions = new Set<ServerHttp2Session>();
  const [cert, key] = await Promise.all([readFile(CERTIFICATE), readFile(KEY)]);
  const endpoint = createSecureServer({ cert, key });
  endpoint.on('session', (session) => sessions.add(session));
  endpoint.on('stream', (stream, headers) => {
    calls.push({ path: headers[':path'] ?? '', authorization: headers.authorization });
    forward(stream, upstream.request(withoutAuthority(headers)));
  });
  endpoint.listen(0, HOST);
  await once(endpoint, 'listening');
  const { port } = endpoint.address() as AddressInfo;
  return {
    calls,
    address: `${HOST}:${port}`,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      upstream.destroy();
      endpoint.close();
      await once(endpoint, 'close');
    },
  };
}

/** It names the endpoint, not the server behind it. */
function withoutAuthority(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const { ':authority': _endpoint, ...others } = headers;
  return { ...others, ':scheme': 'http' };
}

function forward(stream: ServerHttp2Stream, request: ClientHttp2Stream): void {
  stream.pipe(request);
  request.on('response', (headers) => {
    stream.respond(headers, { waitForTrailers: true });
    request.pipe(stream);
  });
  let trailers: IncomingHttpHeaders = {};
  request.on('trailers', (received) => {
    trailers = received;
  });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  // Whoever asks may go away, and so may who is asked.
  request.on('error', () => stream.destroy());
  stream.on('error', () => request.destroy());
  stream.on('close', () => request.destroy());
}
