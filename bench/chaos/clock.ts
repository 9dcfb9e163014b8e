let last = 0;

/** Milliseconds of this process, never the same twice: a time and a place in the order. */
export function now(): number {
  last = Math.max(performance.now(), last + 0.001);
  return last;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
