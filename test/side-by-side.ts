/** How many things are done at once. */
const AT_ONCE = 48;

/** Does the same with each item, many at once, and waits for all. */
export async function sideBySide<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<unknown>,
): Promise<void> {
  const left = [...items.entries()];
  const workNext = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      await work(next[1], next[0]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, workNext));
}
