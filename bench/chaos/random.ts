// Random numbers that can be repeated: each purpose has a stream of its own, so that what one
// of them draws does not depend on when another does.

export interface Random {
  /** At least 0, below 1. */
  next(): number;
  /** At least `from`, below `to`. */
  between(from: number, to: number): number;
  /** A whole number of at least 0, below `end`. */
  below(end: number): number;
  pick<T>(choices: readonly [T, ...T[]]): T;
}

/** Mulberry32, seeded by a hash of the seed and the purpose. */
export function createRandom(seed: number, purpose: string): Random {
  let state = hash(`${seed} ${purpose}`);
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (end: number): number => Math.floor(next() * end);
  return {
    next,
    below,
    between: (from, to) => from + next() * (to - from),
    pick: (choices) => choices[below(choices.length)] ?? choices[0],
  };
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (const character of text) {
    state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  }
  return state;
}
