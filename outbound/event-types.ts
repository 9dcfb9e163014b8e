// Event types that a listener names, as a filter.

import { ListenerError } from './errors.ts';

/** How many a listener may name. */
const TYPES_MAX = 100;

const EVERY = '*';

/** Names that stand for families of types. */
const FAMILIES: ReadonlyMap<string, string> = new Map([
  ['EXECUTION', 'WORKFLOW_*'],
  ['TASK', 'TASK_*'],
]);

/**
 * The filter of a listener for these types that match its filter. In a type `*` stands for any
 * text; `EXECUTION` stands for `WORKFLOW_*`, and `TASK` for `TASK_*`. No types: every type.
 *
 * @throws ListenerError if they are no list of types
 */
export function withEventTypes(filter: string, types: unknown): string {
  if (types === undefined) return filter;
  const isList =
    Array.isArray(types) && types.every((type) => typeof type === 'string' && type !== '');
  if (!isList) throw new ListenerError('events is not a list of event types');
  if (types.length > TYPES_MAX) {
    throw new ListenerError(`${types.length} event types, at most ${TYPES_MAX}`);
  }
  const wanted = (types as string[]).map((type) => FAMILIES.get(type) ?? type);
  if (wanted.length === 0 || wanted.includes(EVERY)) return filter;
  const condition = toCondition(wanted);
  // The line end, because a filter may end with a comment.
  return filter === ''
    ? condition
    : `(${condition}) && (${filter}${filter.includes('//') ? '\n' : ''})`;
}

/** Equality wherever it will do: that is what the index of filters finds. */
function toCondition(types: readonly string[]): string {
  const exact = types.filter((type) => !type.includes(EVERY));
  const patterns = types.filter((type) => type.includes(EVERY)).map(toPatternTest);
  const [first = ''] = exact;
  const tests = exact.length > 1 ? [`event_type in [${exact.map(quote).join(', ')}]`] : [];
  if (exact.length === 1) tests.push(`event_type == ${quote(first)}`);
  return [...tests, ...patterns].join(' || ');
}

function toPatternTest(pattern: string): string {
  const [start = '', ...others] = pattern.split(EVERY);
  if (others.length === 1 && others[0] === '') return `event_type.startsWith(${quote(start)})`;
  const parts = [start, ...others].map((part) =>
    part.replace(/[.+?^${}()|[\]\\]/g, String.raw`\$&`),
  );
  return `event_type.matches(${quote(`^${parts.join('.*')}$`)})`;
}

/** Whatever could end it is escaped. */
function quote(text: string): string {
  const escaped = text.replace(/[\\'"`\p{Cc}\u2028\u2029]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return `'${escaped}'`;
}
