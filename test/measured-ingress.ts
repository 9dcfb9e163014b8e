// An ingress that tells what it holds, whenever it is asked: run with `--expose-gc`.

/** What a process holds once everything that nobody needs is gone. */
export interface Held {
  /** The heap and the buffers outside of it, in bytes. */
  readonly bytes: number;
  readonly residentBytes: number;
  /** Connections that are open, either way. */
  readonly sockets: number;
}

process.on('message', (message) => {
  if (message !== 'measure') return;
  // The first one may leave behind what waits for its finalisers.
  for (let time = 0; time < 3; time += 1) globalThis.gc?.();
  const { heapUsed, external, rss: residentBytes } = process.memoryUsage();
  const resources = process.getActiveResourcesInfo();
  const sockets = resources.filter((one) => one === 'TCPSocketWrap').length;
  const held: Held = { bytes: heapUsed + external, residentBytes, sockets };
  process.send?.({ type: 'held', held });
});

await import('../ingress/main.ts');
