// What a user writes in nextevent.config.ts, and what becomes of it: options as
// written, and settings that are complete and checked.

import { resolve } from 'node:path';

import type { Event } from '../events/event.ts';
import { compileFilter, FilterError } from '../events/filter.ts';
import type { Trigger } from '../events/trigger.ts';
import type { Source } from '../ingress/sources/source.ts';
import { ConfigError } from './errors.ts';
import { resolveOutbound, type Outbound, type OutboundOptions } from './outbound.ts';
import { resolveRateLimits, type RateLimits } from './rate-limits.ts';

/** Longest name of a source or a trigger, in characters. */
export const NAME_LENGTH_MAX = 100;

/** The longest that a sender can be kept waiting: common load balancers hang up after that. */
export const RESPOND_MS_MAX = 60_000;

const SOURCE_NAME = /^[a-z][a-z0-9-]*$/;
const DEFAULT_TASK_QUEUE = 'nextevent';

/** What the ids of the library's own workflows begin with, before a slash. */
const OWN_PREFIX = 'nextevent';
const OPTIONS: readonly string[] = [
  'workflowsPath',
  'activities',
  'taskQueue',
  'sources',
  'triggers',
  'rateLimits',
  'outbound',
] satisfies Array<keyof ConfigOptions>;
const TRIGGER_OPTIONS: readonly string[] = [
  'name',
  'source',
  'filter',
  'workflow',
  'taskQueue',
  'workflowId',
  'respond',
] satisfies Array<keyof TriggerOptions>;

/** A module with workflows, when nothing is known about what it exports. */
export type Workflows = Readonly<Record<string, (event: Event<never>) => Promise<unknown>>>;

/** The names of the functions in a module that can be started with an event that has such data. */
export type WorkflowName<W extends object, Data = never> = {
  [Name in keyof W & string]: W[Name] extends (event: Event<Data>) => Promise<unknown>
    ? Name
    : never;
}[keyof W & string];

/** Sources, by name. */
export type Sources = Readonly<Record<string, Source>>;

/** The data of a source's events; `never`, which every workflow takes, if nobody knows. */
type DataOf<S> = S extends Source<infer Data> ? (unknown extends Data ? never : Data) : never;

/** An activity of the user's. */
export type Activity = (...args: never[]) => unknown;

/** A rule: every event of the source that matches the filter starts the workflow. */
export interface TriggerOptions<
  W extends object = Workflows,
  Name extends string = string,
  Data = never,
> {
  /** Unique among the triggers, at most 100 characters, no `/`. Workflow ids begin with it. */
  readonly name: string;
  /** The name of one of the sources. */
  readonly source: Name;
  /**
   * A CEL expression over `event_type` and `data`. It gates only what this trigger starts, never
   * what workflows subscribe to.
   *
   * @default every event
   */
  readonly filter?: string;
  /** The workflow to start. It is called with the event. */
  readonly workflow: WorkflowName<W, Data>;
  /**
   * The task queue to start it on.
   *
   * @default the task queue of the configuration
   */
  readonly taskQueue?: string;
  /**
   * Names the one workflow that the event is for: `<trigger>/<what this returns>` is its id. The
   * event starts that workflow or, while it runs, is given to it by `triggerSubscription`. There is
   * never a second one at the same time.
   *
   * What is returned is text that is not empty. For anything else, and if it throws, the event
   * starts nothing, and a line in the log says so. Give the same for the same event always.
   *
   * @default every event starts a workflow of its own, called `<trigger>/<event id>`
   *
   * @example
   * workflowId: (event: Event<Order>) => event.data.body.json.customer
   */
  // A method, so that its event can be declared with the data that the source gives it.
  workflowId?(event: Event<[Data] extends [never] ? unknown : Data>): string;
  /**
   * The sender of a webhook waits for what the workflow answers by `respond()`, at most so many
   * milliseconds, and at most one minute; then it gets 504, and the workflow goes on. Of several
   * triggers that an event matches, the first one that has this answers.
   *
   * @default the sender is answered as soon as the event is durable
   *
   * @example
   * respond: { timeoutMs: 10_000 }
   */
  readonly respond?: { readonly timeoutMs: number };
}

/** A trigger of one of these sources. */
export type TriggerOf<W extends object, S extends Sources> = {
  [Name in keyof S & string]: TriggerOptions<W, Name, DataOf<S[Name]>>;
}[keyof S & string];

/** What `nextevent.config.ts` says. */
export interface ConfigOptions<W extends object = Workflows, S extends Sources = Sources> {
  /** The module that exports the workflows; a relative path starts from the configuration file. */
  readonly workflowsPath: string;
  /**
   * The activities that the workflows call, by name.
   *
   * @default none
   */
  readonly activities?: Readonly<Record<string, Activity>>;
  /**
   * The Temporal task queue of the workflows.
   *
   * @default 'nextevent'
   */
  readonly taskQueue?: string;
  /**
   * Where events come from, by name: lower-case letters, digits and `-`, first a letter, at most
   * 100 characters. A webhook source called `orders` is at `/webhooks/orders`.
   */
  readonly sources: S;
  /**
   * What events start.
   *
   * @default none
   */
  readonly triggers?: ReadonlyArray<TriggerOf<W, S>>;
  /**
   * How many requests are taken in a minute.
   *
   * @default no limits
   */
  readonly rateLimits?: RateLimits;
  /**
   * Events that go out, to listeners.
   *
   * @default there are no listeners, and none can be made
   */
  readonly outbound?: OutboundOptions;
}

/** The settings of this process, complete and checked. */
export interface Config {
  /** Absolute. */
  readonly workflowsPath: string;
  readonly activities: Readonly<Record<string, Activity>>;
  readonly taskQueue: string;
  readonly sources: ReadonlyMap<string, Source>;
  readonly triggers: readonly Trigger[];
  readonly rateLimits?: RateLimits;
  readonly outbound?: Outbound;
}

/**
 * Declares the configuration: the default export of `nextevent.config.ts`.
 *
 * With the type of the workflows' module, the compiler checks that every trigger names a workflow
 * that takes an event. With the type of the sources, too, it checks that there is such a source and
 * that the workflow takes the data that the source's handler gives. What the compiler can not check
 * is checked at start-up.
 *
 * @example
 * import { defineConfig, webhook } from 'nextevent';
 *
 * import type * as workflows from './workflows/index.ts';
 *
 * export default defineConfig<typeof workflows>({
 *   workflowsPath: './workflows/index.ts',
 *   sources: { orders: webhook({ verify: 'none' }) },
 *   triggers: [{ name: 'on-order', source: 'orders', workflow: 'approval' }],
 * });
 */
export function defineConfig<W extends object = Workflows>(
  options: ConfigOptions<W>,
): ConfigOptions<W>;
export function defineConfig<W extends object, S extends Sources>(
  options: ConfigOptions<W, S>,
): ConfigOptions<W, S>;
export function defineConfig(options: ConfigOptions): ConfigOptions {
  return options;
}

/**
 * The settings that the options mean, for a configuration file in this directory.
 *
 * @throws ConfigError if anything in them is wrong
 */
export function resolveConfig(options: unknown, directory: string): Config {
  const given = record(options, 'the configuration');
  checkOptions(given, OPTIONS, '');
  const taskQueue = text(given.taskQueue ?? DEFAULT_TASK_QUEUE, 'taskQueue');
  const sources = resolveSources(record(given.sources, 'sources'));
  return {
    workflowsPath: resolve(directory, text(given.workflowsPath, 'workflowsPath')),
    activities: resolveActivities(record(given.activities ?? {}, 'activities')),
    taskQueue,
    sources,
    triggers: resolveTriggers(given.triggers ?? [], { taskQueue, sources }),
    ...(given.rateLimits !== undefined && { rateLimits: resolveRateLimits(given.rateLimits) }),
    ...(given.outbound !== undefined && { outbound: resolveOutbound(given.outbound, sources) }),
  };
}

function resolveActivities(given: Record<string, unknown>): Record<string, Activity> {
  const activities: Record<string, Activity> = {};
  for (const [name, activity] of Object.entries(given)) {
    check(isActivity(activity), `activity "${name}" is not a function`);
    activities[name] = activity;
  }
  return activities;
}

function isActivity(value: unknown): value is Activity {
  return typeof value === 'function';
}

function resolveSources(given: Record<string, unknown>): ReadonlyMap<string, Source> {
  const sources = new Map<string, Source>();
  for (const [name, source] of Object.entries(given)) {
    checkLength(name, 'source');
    check(
      SOURCE_NAME.test(name),
      `source name "${name}" must be lower-case letters, digits and -, and begin with a letter`,
    );
    check(isSource(source), `source "${name}" is not a source; write for example webhook({ … })`);
    sources.set(name, source);
  }
  return sources;
}

function isSource(value: unknown): value is Source {
  return isRecord(value) && typeof value.kind === 'string' && typeof value.receive === 'function';
}

function resolveTriggers(
  given: unknown,
  around: Pick<Config, 'taskQueue' | 'sources'>,
): readonly Trigger[] {
  check(Array.isArray(given), 'triggers is not a list');
  const triggers = given.map((options: unknown) => resolveTrigger(options, around));
  const names = new Set<string>();
  for (const { name } of triggers) {
    check(!names.has(name), `two triggers are called "${name}"`);
    names.add(name);
  }
  return triggers;
}

function resolveTrigger(
  options: unknown,
  { taskQueue, sources }: Pick<Config, 'taskQueue' | 'sources'>,
): Trigger {
  const given = record(options, 'a trigger');
  const name = text(given.name, 'the name of a trigger');
  checkLength(name, 'trigger');
  checkOptions(given, TRIGGER_OPTIONS, ` of trigger "${name}"`);
  // A workflow's id is the trigger's name, a slash and the event's id: which must be one way only.
  check(!name.includes('/'), `the name of trigger "${name}" has a slash in it`);
  // Or whoever sends events could name them so that they are the library's own workflows.
  check(name !== OWN_PREFIX, `a trigger can not be called "${name}": ids of the library begin so`);
  const trigger: Trigger = {
    name,
    source: text(given.source, `the source of trigger "${name}"`),
    filter: given.filter === undefined ? '' : string(given.filter, `the filter of "${name}"`),
    workflow: text(given.workflow, `the workflow of trigger "${name}"`),
    taskQueue: text(given.taskQueue ?? taskQueue, `the taskQueue of trigger "${name}"`),
    ...(given.workflowId !== undefined && { workflowId: resolveWorkflowId(name, given) }),
    ...(given.respond !== undefined && { respondMsMax: resolveRespond(name, given.respond) }),
  };
  check(
    sources.has(trigger.source),
    `trigger "${name}" is for source "${trigger.source}", which is not among the sources`,
  );
  check(
    trigger.respondMsMax === undefined || sources.get(trigger.source)?.kind !== 'published',
    `trigger "${name}" has respond, and source "${trigger.source}" takes published events: respond is for webhooks`,
  );
  checkFilter(trigger);
  return trigger;
}

/** Called as what it is written as: a method of its trigger. */
function resolveWorkflowId(
  name: string,
  trigger: Record<string, unknown>,
): NonNullable<Trigger['workflowId']> {
  const { workflowId } = trigger;
  check(isFunction(workflowId), `the workflowId of trigger "${name}" is not a function`);
  return (event) => workflowId.call(trigger, event);
}

function resolveRespond(name: string, given: unknown): number {
  const what = `respond of trigger "${name}"`;
  const options = record(given, what);
  checkOptions(options, ['timeoutMs'], ` in ${what}`);
  const { timeoutMs } = options;
  const isInTime = typeof timeoutMs === 'number' && timeoutMs > 0 && timeoutMs <= RESPOND_MS_MAX;
  check(isInTime, `timeoutMs in ${what} is not a number from 1 to ${RESPOND_MS_MAX}`);
  return timeoutMs;
}

function isFunction(value: unknown): value is (...args: unknown[]) => unknown {
  return typeof value === 'function';
}

function checkFilter({ name, filter }: Trigger): void {
  if (filter === '') return;
  try {
    compileFilter(filter);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    throw new ConfigError(`trigger "${name}": ${error.message}`, { cause: error });
  }
}

function checkLength(name: string, what: string): void {
  check(
    name.length <= NAME_LENGTH_MAX,
    `the name of a ${what} is ${name.length} characters, at most ${NAME_LENGTH_MAX}: "${name}"`,
  );
}

function checkOptions(given: object, options: readonly string[], where: string): void {
  for (const key of Object.keys(given)) {
    check(options.includes(key), `there is no option "${key}"${where}, only ${options.join(', ')}`);
  }
}

function record(value: unknown, what: string): Record<string, unknown> {
  check(isRecord(value), `${what} is missing or not an object`);
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown, what: string): string {
  const given = string(value, what);
  check(given.trim() !== '', `${what} is empty`);
  return given;
}

function string(value: unknown, what: string): string {
  check(typeof value === 'string', `${what} is missing or not text`);
  return value;
}

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new ConfigError(message);
}
