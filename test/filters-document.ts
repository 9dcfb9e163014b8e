// The tables of docs/filters.md, and what this process makes of their filters. As a program it
// prints that: a host in another time zone must print the same.

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

import { isEvent, type Event } from '../events/event.ts';
import { compileFilter, toFilterInput } from '../events/filter.ts';

/** A filter with what the document says of it: `yes`, `no` or `error`. */
export interface Row {
  readonly filter: string;
  readonly answer: string;
}

export const DOCUMENT = readFileSync(new URL('../docs/filters.md', import.meta.url), 'utf8');

/** The rows of the tables of filters that match and of those that do not. */
export function rowsOf(document: string): readonly Row[] {
  const rows = document.matchAll(/^\| `(.+?)` +\| (yes|no|error) +\|/gm);
  return [...rows].map(([, cell = '', answer = '']) => ({ filter: inCell(cell), answer }));
}

/** What stands in a cell of a table. */
export function inCell(text: string): string {
  return text.replaceAll(String.raw`\|`, '|');
}

/** The event that the document's filters are about. */
export function eventOf(document: string): Event {
  const event: unknown = JSON.parse(/```json\n([^]*?)```/.exec(document)?.[1] ?? '');
  if (!isEvent(event)) throw new Error('the document has no event');
  return event;
}

/** What a filter makes of the event. */
export function answerOf(filter: string): string {
  const { matched, error } = compileFilter(filter).evaluate(toFilterInput(eventOf(DOCUMENT)));
  if (error !== undefined) return 'error';
  return matched ? 'yes' : 'no';
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const answers = rowsOf(DOCUMENT).map(({ filter }) => ({ filter, answer: answerOf(filter) }));
  const zone = new Date(Date.UTC(2026, 0)).getTimezoneOffset();
  console.log(JSON.stringify({ zone, answers }));
}
