// How an event finds a filter, and what one costs that every event has to be held against.

import { FilterError } from './filter-error.ts';
import { shapeFilter } from './filter-shapes.ts';
import { isServed } from './filter-terms.ts';

/** What a filter costs whose steps are counted, where another costs 1. */
const COUNTED_COST = 10;

/**
 * Most that the filters of a source may cost that no index serves: together they keep an event
 * for some milliseconds, or, if all of them are made for it, some tens.
 */
export const UNINDEXED_COST_MAX = 1_000;

/** How an event finds a filter. */
export interface Access {
  /** Whether events find it by their values. Otherwise each event evaluates it. */
  readonly isIndexed: boolean;
  /** The paths that are looked up, as they are written in a filter. */
  readonly paths: readonly string[];
  /** What it counts towards `UNINDEXED_COST_MAX`. */
  readonly cost: number;
}

/**
 * Tells how an event finds a filter.
 *
 * @throws FilterError when it is no filter
 */
export function describeAccess(text: string): Access {
  const { shape } = shapeFilter(text);
  // It wants every event, and nothing is evaluated to know it.
  if (text.trim() === '') return { isIndexed: true, paths: [], cost: 0 };
  if (!isServed(shape.alternatives)) {
    return { isIndexed: false, paths: [], cost: shape.isCounted ? COUNTED_COST : 1 };
  }
  const paths = shape.alternatives.flatMap((terms) => terms.map(({ path }) => toText(path)));
  return { isIndexed: true, paths: [...new Set(paths)], cost: 0 };
}

/** A source has all the filters that it can hold every event against. Those with an index may come. */
export class UnindexedFilterQuotaError extends FilterError {
  override readonly name: string = 'UnindexedFilterQuotaError';

  constructor(source: string) {
    super(
      `source "${source}" has no room for more filters that every event is evaluated for; ` +
        "add what the event must have: path == 'value', path in ['value', ...] or " +
        "path.startsWith('value'), joined by && to the rest and in every part of an ||",
    );
  }
}

function toText([variable, ...segments]: readonly string[]): string {
  return segments.reduce((text, segment) => {
    if (/^[A-Za-z_]\w*$/.test(segment)) return `${text}.${segment}`;
    return `${text}[${/^\d+$/.test(segment) ? segment : JSON.stringify(segment)}]`;
  }, variable ?? '');
}
