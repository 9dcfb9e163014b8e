import type { ListenerDefinition } from '../events/listener.ts';
import type { Config } from './config.ts';
import { toDefinition } from './outbound.ts';

/** What somebody says of a listener, on top of what it was, as a definition. Throws `ListenerError`. */
export type ToDefinition = (given: object, before?: ListenerDefinition) => ListenerDefinition;

/** What says where events come from, or which of them: of each, what is given takes the place of all. */
const SOURCES = ['source', 'sources'];
const FILTERS = ['filter', 'events', 'event_types', 'eventTypes'];

/** For the listeners that a configuration allows; undefined if it has no `outbound`. */
export function createToDefinition({
  outbound,
  sources,
}: Pick<Config, 'outbound' | 'sources'>): ToDefinition | undefined {
  if (outbound === undefined) return undefined;
  const around = { sources, outbound };
  return (given, before) => toDefinition(before ? merged(given, before) : given, around);
}

function merged(given: object, before: ListenerDefinition): object {
  const { callback, ...rest } = given as { readonly callback?: object };
  const all = { ...callback, ...rest };
  const has = (names: readonly string[]): boolean => names.some((name) => Object.hasOwn(all, name));
  const { sources, filter, ...kept } = before;
  return {
    ...kept,
    ...(!has(SOURCES) && { sources }),
    ...(!has(FILTERS) && { filter }),
    ...all,
  };
}
