/**
 * Makes a look that all who ask share: there is one at a time, and what it saw is good for
 * `goodMs`. So who asks more often costs nothing. A look must end by itself.
 */
export function shareLook<T>(look: () => Promise<T>, goodMs: number): () => Promise<T> {
  let last: { readonly at: number; readonly seen: Promise<T> } | undefined;
  let isUnderWay = false;
  const end = (): void => {
    isUnderWay = false;
  };
  return () => {
    // From its beginning: what it saw may be as old as that.
    const isGood = last !== undefined && performance.now() - last.at < goodMs;
    if (last === undefined || !(isGood || isUnderWay)) {
      last = { at: performance.now(), seen: look() };
      isUnderWay = true;
      last.seen.then(end, end);
    }
    return last.seen;
  };
}
