// Why a filter did not match an event: the parts that were false, or failed, with the
// values that made them so. It evaluates the parts one by one, so it is for people who
// ask, and not for every event.

import type { Event } from './event.ts';
import { positionOf } from './filter-error.ts';
import type { FilterPosition } from './filter-error.ts';
import { withoutConstructors } from './filter-input.ts';
import { FilterParts } from './filter-parts.ts';
import { Places } from './filter-places.ts';
import type { Place } from './filter-places.ts';
import { secretsOf } from './filter-render.ts';
import { explain } from './filter-reasons.ts';
import { REASONS_MAX } from './filter-reasons.ts';
import type { Finding } from './filter-reasons.ts';
import { compileFilter, toFilterInput } from './filter.ts';

/** A part of a filter that decided against a match. */
export interface Reason {
  /** The part as it was written, shortened. */
  readonly part: string;
  readonly position: FilterPosition;
  /** What it was. `error`: it could not be evaluated, or was neither true nor false. */
  readonly result: 'true' | 'false' | 'error';
  /** The values behind it: `data.action is 'closed', not 'opened'`. */
  readonly why: string;
}

/** Whether a filter matched an event and, where it did not, why. */
export interface Explanation {
  readonly matched: boolean;
  /** Why it could not be evaluated as a whole. */
  readonly error?: string;
  /** In the order of the filter, the first few. Empty if it matched. */
  readonly reasons: readonly Reason[];
}

/**
 * Says why a filter does not match an event.
 *
 * Values are shortened, and headers in which a request proves itself (`authorization`,
 * `cookie`) are left out. Takes a fraction of a second at the most.
 *
 * @throws FilterError when the filter is not one
 *
 * @example
 * const { reasons } = explainFilter("data.action == 'opened'", event);
 * for (const reason of reasons) console.log(toSentence(reason));
 */
export function explainFilter(text: string, event: Event): Explanation {
  const input = toFilterInput(event);
  const { matched, error } = compileFilter(text).evaluate(input);
  if (matched) return { matched, reasons: [] };
  const parts = new FilterParts(text);
  const places = new Places(text, parts, secretsOf(input));
  const root: Place = {
    expression: parts.tree,
    way: [],
    variables: withoutConstructors(input, text) ?? input,
  };
  const findings = explain(places, root).slice(0, REASONS_MAX);
  const reasons = findings.map((finding) => toReason(text, places, finding));
  return { matched, ...(error === undefined ? {} : { error }), reasons };
}

/** A reason as a sentence: "`data.action == 'opened'` was false: data.action is 'closed' ...". */
export function toSentence({ part, result, why }: Reason): string {
  return `\`${part}\` ${result === 'error' ? 'failed' : `was ${result}`}: ${why}`;
}

function toReason(text: string, places: Places, { place, result, why }: Finding): Reason {
  const { expression } = place;
  return {
    part: places.render.part(expression),
    position: positionOf(text, expression.start),
    result,
    why,
  };
}
