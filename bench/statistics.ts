/** The median and the slow end of a series. */
export interface Summary {
  readonly p50: number;
  readonly p99: number;
}

export function summarise(values: readonly number[]): Summary {
  const sorted = values.toSorted((one, other) => one - other);
  return { p50: percentile(sorted, 50), p99: percentile(sorted, 99) };
}

/** Each figure of one series divided by the same figure of the other. */
export function ratioOf(one: Summary, other: Summary): Summary {
  return { p50: one.p50 / other.p50, p99: one.p99 / other.p99 };
}

/** Two decimals, as figures are printed. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** The nearest rank: always a value that was measured. */
function percentile(sorted: readonly number[], percent: number): number {
  const rank = Math.ceil((sorted.length * percent) / 100);
  return sorted[Math.max(0, rank - 1)] ?? Number.NaN;
}
