// What the events of the run say, and which of them a subscription wants: once as CEL, for the
// program under test, and once as plain code, for the checker.

import type { SubscriptionId } from '../../events/subscription.ts';
import type { Random } from './random.ts';

export const SOURCES = ['red', 'green', 'blue'] as const;
export type SourceName = (typeof SOURCES)[number];

/** The triggers, by the source whose starting events they want. */
export const TRIGGERS: Readonly<Partial<Record<SourceName, string>>> = {
  red: 'on-red',
  blue: 'on-blue',
};

const KEYS = 24;
const GROUPS = 6;
const SIZES = 100;

export type Filter =
  | { readonly kind: 'every' }
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'keys'; readonly keys: readonly [string, string] }
  | { readonly kind: 'prefix'; readonly prefix: string }
  | { readonly kind: 'group'; readonly group: string; readonly above: number }
  | { readonly kind: 'either'; readonly key: string; readonly above: number };

/** What a workflow is told to subscribe to. */
export interface Wanted {
  readonly source: SourceName;
  readonly filter: Filter;
}

/** What an event tells the workflow that holds a subscription to do once it has come there. */
export type Command = { readonly subscription: SubscriptionId } & (
  | { readonly do: 'unsubscribe'; readonly instead: readonly Wanted[] }
  | { readonly do: 'continue' | 'drain' | 'return' | 'fail' }
);

export interface Body {
  readonly key: string;
  readonly group: string;
  readonly size: number;
  /** A trigger wants it. */
  readonly starts?: true;
  readonly command?: Command;
}

export function toCel(filter: Filter): string {
  switch (filter.kind) {
    case 'every':
      return '';
    case 'key':
      return `data.body.json.key == '${filter.key}'`;
    case 'keys':
      return `data.body.json.key in ['${filter.keys.join("', '")}']`;
    case 'prefix':
      return `data.body.json.key.startsWith('${filter.prefix}')`;
    case 'group':
      return `event_type == 'post' && data.body.json.group == '${filter.group}' && data.body.json.size > ${filter.above}`;
    case 'either':
    default:
      return `data.body.json.key == '${filter.key}' || data.body.json.size > ${filter.above}`;
  }
}

export function wants(filter: Filter, { key, group, size }: Body): boolean {
  switch (filter.kind) {
    case 'every':
      return true;
    case 'key':
      return key === filter.key;
    case 'keys':
      return filter.keys.includes(key);
    case 'prefix':
      return key.startsWith(filter.prefix);
    case 'group':
      return group === filter.group && size > filter.above;
    case 'either':
    default:
      return key === filter.key || size > filter.above;
  }
}

export function randomBody(random: Random): Body {
  return {
    key: `k${random.below(KEYS)}`,
    group: `g${random.below(GROUPS)}`,
    size: random.below(SIZES),
  };
}

/** A body that a filter wants, and random otherwise. */
export function bodyFor(filter: Filter, random: Random): Body {
  const body = randomBody(random);
  switch (filter.kind) {
    case 'every':
      return body;
    case 'keys':
      return { ...body, key: random.pick(filter.keys) };
    case 'prefix':
      return { ...body, key: filter.prefix };
    case 'group':
      return { ...body, group: filter.group, size: SIZES - 1 };
    case 'key':
    case 'either':
    default:
      return { ...body, key: filter.key };
  }
}

export function randomWanted(random: Random): Wanted {
  return { source: random.pick(SOURCES), filter: randomFilter(random) };
}

/** Most want a few events in a hundred; some want every one. */
function randomFilter(random: Random): Filter {
  const key = `k${random.below(KEYS)}`;
  const choice = random.next();
  if (choice < 0.04) return { kind: 'every' };
  if (choice < 0.1) return { kind: 'prefix', prefix: random.pick(['k1', 'k2']) };
  if (choice < 0.3) return { kind: 'keys', keys: [key, `k${random.below(KEYS)}`] };
  if (choice < 0.5) return { kind: 'group', group: `g${random.below(GROUPS)}`, above: 60 };
  if (choice < 0.65) return { kind: 'either', key, above: 95 };
  return { kind: 'key', key };
}
