// What a source held before somebody terminated it, in parts: an answer of an activity has at most
// 2 MiB, and without a worker a source may have been told of much more than that. Pure.

import { countTogether } from '../events/together.ts';
import type { PlacedEntry } from './messages.ts';
import type { Recovered, SourceState } from './source-records.ts';

/** How much of it one answer has, or one record, in characters of JSON: each is three bytes at the most. */
const PAGE_LENGTH = 512 * 1024;

/** A record, and the list of the state that it is of. */
type Part = readonly [
  list: 'subscriptions' | 'operations' | 'obsolete' | 'backlog',
  record: unknown,
];

/**
 * The part of a state that comes after so many records of its lists. The first one, without `skip`, has
 * all but these lists.
 */
export function pageOf(state: SourceState, skip: number | undefined): Recovered {
  const parts = partsOf(state);
  if (skip === undefined) {
    const { operations: _operations, obsolete: _obsolete, ...rest } = state;
    const bare = { ...rest, subscriptions: [], backlog: [] };
    return { state: bare, backlog: [], hasMore: parts.length > 0 };
  }
  const page: Record<Part[0], unknown[]> = {
    subscriptions: [],
    operations: [],
    obsolete: [],
    backlog: [],
  };
  const end = endOfPage(parts, skip);
  for (const [list, record] of parts.slice(skip, end)) page[list].push(record);
  return { ...(page as unknown as Page), hasMore: end < parts.length };
}

type Page = Pick<Recovered, 'subscriptions' | 'operations' | 'obsolete'> & {
  readonly backlog: readonly PlacedEntry[];
};

/** As pages were before other lists than the backlog were in them: for runs that ask for these. */
export function backlogPageOf(state: SourceState, skip: number | undefined): Recovered {
  const { backlog } = state;
  if (skip === undefined) {
    return { state: { ...state, backlog: [] }, backlog: [], hasMore: backlog.length > 0 };
  }
  const end = endOfPage(backlog, skip);
  return { backlog: backlog.slice(skip, end), hasMore: end < backlog.length };
}

/** Where the part ends that begins here. */
function endOfPage(records: readonly unknown[], skip: number): number {
  return skip + countTogether(records.slice(skip), lengthOf, PAGE_LENGTH);
}

function lengthOf(record: unknown): number {
  return JSON.stringify(record).length;
}

/** How many records the answers have. */
export function countRecovered(answers: readonly Recovered[]): number {
  return answers.reduce((sum, { subscriptions, operations, obsolete, backlog }) => {
    const lists = [subscriptions, operations, obsolete, backlog];
    return sum + lists.reduce((count, list) => count + (list?.length ?? 0), 0);
  }, 0);
}

/** The whole state, of which each answer has a part; `undefined` if there was none. */
export function joinRecovered(answers: readonly Recovered[]): SourceState | undefined {
  const state = answers[0]?.state;
  if (state === undefined) return undefined;
  const operations = [
    ...(state.operations ?? []),
    ...answers.flatMap(({ operations: some = [] }) => some),
  ];
  const obsolete = [
    ...(state.obsolete ?? []),
    ...answers.flatMap(({ obsolete: some = [] }) => some),
  ];
  return {
    ...state,
    subscriptions: [
      ...state.subscriptions,
      ...answers.flatMap(({ subscriptions = [] }) => subscriptions),
    ],
    ...(operations.length > 0 && { operations }),
    ...(obsolete.length > 0 && { obsolete }),
    backlog: answers.flatMap(({ backlog }) => backlog),
  };
}

function partsOf(state: SourceState): readonly Part[] {
  const { subscriptions, operations = [], obsolete = [], backlog } = state;
  return [
    ...subscriptions.map((record) => ['subscriptions', record] as const),
    ...operations.map((record) => ['operations', record] as const),
    ...obsolete.map((record) => ['obsolete', record] as const),
    ...backlog.map((record) => ['backlog', record] as const),
  ];
}
