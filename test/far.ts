// A server that is far away.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a server that is as long as this, and may become longer. */
export async function farFrom(address: string, roundTripMs: number) {
  const [host, port] = address.split(':');
  let halfMs = roundTripMs / 2;
  const sockets = new Set<Socket>();
  const carry = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on('data', (chunk) => setTimeout(() => to.writable && to.write(chunk), halfMs));
    from.on('close', () => to.destroy());
    from.on('error', () => to.destroy());
  };
  const listener = createServer((near) => {
    const there = connect(Number(port), host);
    carry(near, there);
    carry(there, near);
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    address: `127.0.0.1:${(listener.address() as AddressInfo).port}`,
    moveAway(furtherMs: number) {
      halfMs += furtherMs / 2;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}
