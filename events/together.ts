// How much goes together in one message.

/** How many of these, from the first on, are within the size in all; one at the least, if there is one. */
export function countTogether<T>(
  items: readonly T[],
  sizeOf: (item: T) => number,
  sizeMax: number,
): number {
  let count = 0;
  let sum = 0;
  for (const item of items) {
    sum += sizeOf(item);
    if (count > 0 && sum > sizeMax) break;
    count += 1;
  }
  return count;
}
