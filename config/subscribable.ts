import type { Config } from './config.ts';
import { AmbiguousSourceError, UnknownSourceError } from './errors.ts';

/** How many names an error lists. */
const NAMES_LISTED_MAX = 20;

/**
 * The source that a name given to `subscribe` stands for: a source's own name, or the name of a
 * trigger, which stands for the trigger's source.
 *
 * @throws UnknownSourceError if there is neither
 * @throws AmbiguousSourceError if there are both
 */
export function resolveSource(config: Pick<Config, 'sources' | 'triggers'>, name: string): string {
  const trigger = config.triggers.find((candidate) => candidate.name === name);
  if (config.sources.has(name)) {
    if (trigger === undefined) return name;
    throw new AmbiguousSourceError(
      `ambiguous source "${name}": it is a source and also a trigger of source "${trigger.source}"`,
    );
  }
  if (trigger !== undefined) return trigger.source;
  throw new UnknownSourceError(`source "${name}" not found${listNames(config)}`);
}

function listNames({ sources, triggers }: Pick<Config, 'sources' | 'triggers'>): string {
  const names = [...new Set([...sources.keys(), ...triggers.map((trigger) => trigger.name)])];
  if (names.length === 0) return ': the configuration has no sources';
  const listed = names.slice(0, NAMES_LISTED_MAX).map((name) => `"${name}"`);
  const more = names.length > listed.length ? `, and ${names.length - listed.length} more` : '';
  return `; there are ${listed.join(', ')}${more}`;
}
