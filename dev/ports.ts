import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

/** Everything here listens on the machine itself only. */
export const HOST = '127.0.0.1';

/** Something else listens on this port. */
export class PortTakenError extends Error {
  override readonly name = 'PortTakenError';
  readonly port: number;

  constructor(port: number) {
    super(`port ${port} is taken by another program`);
    this.port = port;
  }
}

/**
 * Below the ports that systems give to outgoing connections: a server that is started again could
 * not have its port back while such a connection lasts.
 */
const FREE_PORTS = { from: 20_000, count: 12_000 };

/** How many of them are tried: a system can have set some aside. */
const TRIES_MAX = 20;

/** A port on which nothing listens. Another program can take it in the meantime. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const port = FREE_PORTS.from + Math.floor(Math.random() * FREE_PORTS.count);
    try {
      return await listenOnce(port);
    } catch {
      // Another one, then.
    }
  }
  return listenOnce(0);
}

/** @throws PortTakenError if something listens on the port */
export async function checkPort(port: number): Promise<void> {
  await listenOnce(port);
}

/** Whether something takes connections on the port. */
export async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, HOST);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    // Refused: nothing listens, which is the answer.
    return false;
  } finally {
    socket.destroy();
  }
}

async function listenOnce(port: number): Promise<number> {
  const server = createServer().listen(port, HOST);
  try {
    await once(server, 'listening');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
      throw new PortTakenError(port);
    }
    throw error;
  }
  const { port: listening } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return listening;
}
