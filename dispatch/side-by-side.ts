/** Does the work for each item, for so many of them at once. Rejects with the first failure. */
export async function sideBySide<T>(
  items: Iterable<T>,
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  // All of them take from the same iterator.
  const left = items[Symbol.iterator]();
  const workNext = async (): Promise<void> => {
    for (let next = left.next(); next.done !== true; next = left.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: atOnce }, workNext));
}
