// From what somebody asked for, in the configuration, over the API or in a workflow, to the complete
// and checked definition of a listener.

import { compileFilter, FilterError } from '../events/filter.ts';
import { DEFAULT_RETRY_MS, type HeaderValue, type ListenerDefinition } from '../events/listener.ts';
import { bareHost, URL_LENGTH_MAX } from './addresses.ts';
import { toHeaderValues, toSigningKeys } from './credentials.ts';
import { ListenerError } from './errors.ts';
import { withEventTypes } from './event-types.ts';
import {
  checkFields,
  toBoolean,
  toFields,
  toInteger,
  toList,
  toText,
  type Fields,
} from './fields.ts';
import type { Outbound } from './outbound.ts';

/** Longest name, owner, and description, in characters. */
const NAME_LENGTH_MAX = 100;
const OWNER_LENGTH_MAX = 256;
const DESCRIPTION_LENGTH_MAX = 1_024;

/** A name is the beginning of workflow ids, which have slashes between their parts. */
const NAME = /^[A-Za-z0-9][\w.-]*$/;

const METHODS: readonly string[] = ['POST', 'PUT', 'PATCH'];
const SOURCES_MAX = 100;
const RATE_MAX = 1_000;
const TIMEOUT_MS_MAX = 60_000;
const RETRIES_MAX = 100;
const RETRY_MS_MAX = 7 * 24 * 3_600_000;

const CONCURRENCY_DEFAULT = 10;
const TIMEOUT_MS_DEFAULT = 15_000;
const FAILURES_MAX_DEFAULT = 50;

const LISTS_OF_TYPES = ['events', 'event_types', 'eventTypes'] as const;

const FIELDS: readonly string[] = [
  'name',
  'type',
  'source',
  'sources',
  'filter',
  ...LISTS_OF_TYPES,
  'url',
  'method',
  'headers',
  'dialect',
  'signing',
  'owner',
  'description',
  'ordered',
  'concurrency',
  'ratePerSecond',
  'timeoutMs',
  'retryMs',
  'failuresMax',
] satisfies Array<keyof ListenerOptions>;

/** A listener: the events of sources, sent to a url. Only the url is needed. */
export interface ListenerOptions {
  /**
   * Letters, digits, `-`, `_` and `.`, at most 100.
   *
   * @default the host of the url
   */
  readonly name?: string;
  /**
   * The transport: `webhook` (also called `callback`), `noop`, or one of the configuration's
   * `outbound.transports`.
   *
   * @default 'webhook'
   */
  readonly type?: string;
  /** One source; or give `sources`. */
  readonly source?: string;
  /** @default all sources that the configuration has */
  readonly sources?: readonly string[];
  /**
   * A CEL expression over `event_type` and `data`.
   *
   * @default every event
   */
  readonly filter?: string;
  /**
   * The types of the events that are sent, in addition to the filter. `*` in one stands for any text;
   * `EXECUTION` for `WORKFLOW_*`, and `TASK` for `TASK_*`.
   *
   * @default every type
   */
  readonly events?: readonly string[];
  /** Another name of `events`. */
  readonly event_types?: readonly string[];
  /** Another name of `events`. */
  readonly eventTypes?: readonly string[];
  /** Where to. Of webhooks it is https, unless the configuration's `outbound.allow` has more. */
  readonly url: string;
  /**
   * `POST`, `PUT` or `PATCH`.
   *
   * @default 'POST'
   */
  readonly method?: string;
  /**
   * Headers of every request. What is secret is given by the name that it has in the configuration's
   * `outbound.secrets`: `{ authorization: { secret: 'CRM_TOKEN', prefix: 'Bearer ' } }`.
   *
   * @default none
   */
  readonly headers?: Readonly<Record<string, HeaderValue>>;
  /**
   * `cloudevents`, `json`, or one of the configuration's `outbound.dialects`.
   *
   * @default 'cloudevents'
   */
  readonly dialect?: string;
  /**
   * The keys that sign requests as Standard Webhooks has it, by their names in `outbound.secrets`:
   * `whsec_...` or `whsk_...`. A key with `until`, a time in RFC 3339, signs beside the
   * others until then.
   *
   * @default nothing is signed
   */
  readonly signing?:
    | string
    | ReadonlyArray<string | { readonly secret: string; readonly until?: string }>;
  /** Whose it is. */
  readonly owner?: string;
  readonly description?: string;
  /**
   * One event at a time, in order: one that is not delivered yet holds up those behind it.
   *
   * @default false
   */
  readonly ordered?: boolean;
  /**
   * How many requests are on their way at once, at most: up to 100.
   *
   * @default 10
   */
  readonly concurrency?: number;
  /**
   * How many attempts begin in a second, at most.
   *
   * @default no limit
   */
  readonly ratePerSecond?: number;
  /**
   * How long one attempt may take, in milliseconds: up to 60,000.
   *
   * @default 15_000
   */
  readonly timeoutMs?: number;
  /**
   * How long after each failed attempt the next one follows, in milliseconds.
   *
   * @default nine more attempts, in three days
   */
  readonly retryMs?: readonly number[];
  /**
   * So many deliveries that fail one after the other deactivate it.
   *
   * @default 50
   */
  readonly failuresMax?: number;
}

/** What the definition of a listener may name. */
export interface ListenerSurroundings {
  /** The names of all sources. */
  readonly sources: ReadonlyMap<string, unknown> | ReadonlySet<string>;
  readonly outbound: Omit<Outbound, 'listeners'>;
}

/**
 * The definition that these options mean, with defaults. A definition is its own options, and may be
 * given again. All of it may be within `callback`.
 *
 * @throws ListenerError with one sentence, if anything in it is wrong
 */
export function toDefinition(given: unknown, around: ListenerSurroundings): ListenerDefinition {
  const fields = unwrap(toFields(given, 'the listener'));
  checkFields(fields, FIELDS, 'a listener');
  const { transports, dialects } = around.outbound;
  const type = fields.type === 'callback' ? 'webhook' : named(fields.type ?? 'webhook', 'type');
  const transport = transports.get(type);
  if (transport === undefined) throw unknownName(`transport "${type}"`, transports);
  const dialect = named(fields.dialect ?? 'cloudevents', 'dialect');
  if (!dialects.has(dialect)) throw unknownName(`dialect "${dialect}"`, dialects);
  const url = toText(fields.url, 'url', URL_LENGTH_MAX);
  const definition: ListenerDefinition = {
    name: toName(fields.name, { url, type }),
    type,
    sources: toSources(fields, around.sources),
    filter: toFilter(fields),
    url,
    method: toMethod(fields.method ?? 'POST'),
    headers: toHeaderValues(fields.headers ?? {}, around.outbound),
    dialect,
    signing: toSigningKeys(fields.signing ?? [], around.outbound),
    ...toOwner(fields),
    ...toPace(fields),
  };
  try {
    transport.check?.(definition);
  } catch (error) {
    throw new ListenerError(error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
  return definition;
}

function unwrap(fields: Fields): Fields {
  const { callback, ...others } = fields;
  return callback === undefined ? fields : { ...others, ...toFields(callback, 'callback') };
}

function named(value: unknown, what: string): string {
  return toText(value, what, NAME_LENGTH_MAX);
}

function unknownName(what: string, known: ReadonlyMap<string, unknown>): ListenerError {
  return new ListenerError(`there is no ${what}, only ${[...known.keys()].join(', ')}`);
}

function toName(
  given: unknown,
  { url, type }: { readonly url: string; readonly type: string },
): string {
  const name = named(given ?? nameOf(url, type), 'name');
  if (NAME.test(name)) return name;
  throw new ListenerError(
    'name must be letters, digits, -, _ and ., and begin with one of the first two',
  );
}

function nameOf(url: string, type: string): string {
  const host = URL.canParse(url) ? bareHost(new URL(url).hostname) : '';
  const name = host.replace(/[^\w.]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return name.slice(0, NAME_LENGTH_MAX) || type;
}

function toSources(
  { source, sources }: Fields,
  known: ListenerSurroundings['sources'],
): readonly string[] {
  if (source !== undefined && sources !== undefined) {
    throw new ListenerError('source and sources are both given');
  }
  if (source === undefined && sources === undefined) return [...known.keys()];
  const given = toList(source === undefined ? sources : [source], 'sources', SOURCES_MAX);
  if (given.length === 0) throw new ListenerError('sources is empty');
  return [...new Set(given.map((one) => toSource(one, known)))];
}

function toSource(value: unknown, known: ListenerSurroundings['sources']): string {
  const name = named(value, 'source');
  if (known.has(name)) return name;
  throw new ListenerError(`there is no source "${name}", only ${[...known.keys()].join(', ')}`);
}

function toFilter(fields: Fields): string {
  const { filter = '' } = fields;
  if (typeof filter !== 'string') throw new ListenerError('filter is not text');
  const given = LISTS_OF_TYPES.filter((name) => fields[name] !== undefined);
  if (given.length > 1) throw new ListenerError(`${given.join(' and ')} are the same: give one`);
  // By itself first: what is no filter could close the parentheses that it is put into.
  checkFilter(filter);
  const [types] = given;
  const whole = withEventTypes(filter, types && fields[types]);
  checkFilter(whole);
  return whole;
}

function checkFilter(filter: string): void {
  if (filter === '') return;
  try {
    compileFilter(filter);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    throw new ListenerError(error.message, { cause: error });
  }
}

function toMethod(value: unknown): string {
  const method = named(value, 'method').toUpperCase();
  if (METHODS.includes(method)) return method;
  throw new ListenerError(`method is ${method}, must be ${METHODS.join(', ')}`);
}

function toOwner({
  owner,
  description,
}: Fields): Pick<ListenerDefinition, 'owner' | 'description'> {
  return {
    ...(owner !== undefined && { owner: toText(owner, 'owner', OWNER_LENGTH_MAX) }),
    ...(description !== undefined && {
      description: toText(description, 'description', DESCRIPTION_LENGTH_MAX),
    }),
  };
}

type Pace = Pick<
  ListenerDefinition,
  'ordered' | 'concurrency' | 'ratePerSecond' | 'timeoutMs' | 'retryMs' | 'failuresMax'
>;

function toPace(fields: Fields): Pace {
  const { ratePerSecond, retryMs = DEFAULT_RETRY_MS } = fields;
  const bounds = { min: 0, max: RETRY_MS_MAX };
  return {
    ordered: toBoolean(fields.ordered ?? false, 'ordered'),
    concurrency: toInteger(fields.concurrency ?? CONCURRENCY_DEFAULT, 'concurrency', {
      min: 1,
      max: 100,
    }),
    ...(ratePerSecond !== undefined && { ratePerSecond: toRate(ratePerSecond) }),
    timeoutMs: toInteger(fields.timeoutMs ?? TIMEOUT_MS_DEFAULT, 'timeoutMs', {
      min: 1,
      max: TIMEOUT_MS_MAX,
    }),
    retryMs: toList(retryMs, 'retryMs', RETRIES_MAX).map((ms) => toInteger(ms, 'retryMs', bounds)),
    failuresMax: toInteger(fields.failuresMax ?? FAILURES_MAX_DEFAULT, 'failuresMax', {
      min: 1,
      max: 10_000,
    }),
  };
}

function toRate(value: unknown): number {
  if (typeof value === 'number' && value > 0 && value <= RATE_MAX) return value;
  throw new ListenerError(`ratePerSecond is not a number above 0, at most ${RATE_MAX}`);
}
