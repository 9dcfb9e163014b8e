// The list of subscriptions, page by page, source after source.

import type { Inspection, SubscriptionStatus } from '../dispatch/inspection.ts';
import { NoAnswerError, NotFoundError } from './problems.ts';

/** A place in the list. */
interface Cursor {
  readonly source: string;
  /** Subscriptions after this place in the source's order. */
  readonly after: number;
}

/** What is asked for. */
export interface PageRequest {
  readonly limit: number;
  /** The `next` of the page before. */
  readonly cursor: string | undefined;
}

/** Some of the subscriptions. */
export interface Page {
  readonly subscriptions: SubscriptionStatus[];
  /** The `cursor` of the next page; null if there is none. */
  readonly next: string | null;
}

/**
 * Lists the subscriptions of these sources until the page is full.
 *
 * @throws NotFoundError if the cursor is not of a page of this list
 * @throws NoAnswerError if nobody tells what a source holds
 */
export async function pageOf(
  inspection: Pick<Inspection, 'subscriptions'>,
  names: readonly string[],
  { limit, cursor }: PageRequest,
): Promise<Page> {
  const found: SubscriptionStatus[] = [];
  let { source: first, after } = toPlace(cursor, names);
  for (const name of names.slice(names.indexOf(first))) {
    const left = limit - found.length;
    if (left === 0) return { subscriptions: found, next: toCursor({ source: name, after: 0 }) };
    const page = await inspection.subscriptions(name, { limit: left, after });
    if (page === undefined) {
      throw new NoAnswerError(`nobody tells what ${name} holds: no worker answers`);
    }
    found.push(...page.subscriptions);
    if (page.next !== null) {
      return { subscriptions: found, next: toCursor({ source: name, after: page.next }) };
    }
    after = 0;
  }
  return { subscriptions: found, next: null };
}

/** Callers give it back as it is: what is in it may change. */
function toCursor({ source, after }: Cursor): string {
  return Buffer.from(`${after} ${source}`).toString('base64url');
}

function toPlace(cursor: string | undefined, names: readonly string[]): Cursor {
  if (cursor === undefined) return { source: names[0] ?? '', after: 0 };
  const text = Buffer.from(cursor, 'base64url').toString();
  const [, after, source = ''] = /^(\d{1,15}) (.+)$/s.exec(text) ?? [];
  if (after !== undefined && names.includes(source)) return { source, after: Number(after) };
  throw new NotFoundError('there is no such page: cursor is the `next` of the answer before');
}
