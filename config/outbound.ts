// What the configuration says of listeners: options as written, and what becomes of them.

import type { ListenerDefinition } from '../events/listener.ts';
import type { Secret } from '../ingress/sources/secret.ts';
import { toAllowRules, type AllowOptions } from '../outbound/addresses.ts';
import {
  toDefinition,
  type ListenerOptions,
  type ListenerSurroundings,
} from '../outbound/definition.ts';
import { DIALECTS, type Dialect } from '../outbound/dialects.ts';
import { noop } from '../outbound/noop.ts';
import type { Outbound } from '../outbound/outbound.ts';
import type { Transport } from '../outbound/transport.ts';
import { createWebhookTransport } from '../outbound/webhook.ts';
import { ConfigError } from './errors.ts';

export { toDefinition } from '../outbound/definition.ts';
export type { ListenerOptions } from '../outbound/definition.ts';
export { ListenerError } from '../outbound/errors.ts';
export type { Outbound } from '../outbound/outbound.ts';

/** Another name of `webhook`, so no transport of a configuration has it. */
const ALIAS = 'callback';

const OPTIONS: readonly string[] = [
  'listeners',
  'secrets',
  'transports',
  'dialects',
  'allow',
] satisfies Array<keyof OutboundOptions>;

/** Events that go out, to listeners. */
export interface OutboundOptions {
  /**
   * Listeners that are always there. Each has a name of its own.
   *
   * @default none; others are made by the management API, the command line and workflows
   */
  readonly listeners?: ReadonlyArray<ListenerOptions & { readonly name: string }>;
  /**
   * The secrets that listeners may name, in headers and for signing. Whoever may create a listener
   * can have each of them sent anywhere, and nothing else of this process's environment.
   *
   * @default none
   *
   * @example
   * secrets: { CRM_TOKEN: env('CRM_TOKEN'), CRM_KEY: env('CRM_SIGNING_KEY') }
   */
  readonly secrets?: Readonly<Record<string, Secret>>;
  /**
   * Ways to deliver besides `webhook` and `noop`, by the name that listeners have as their `type`.
   *
   * @default none
   */
  readonly transports?: Readonly<Record<string, Transport>>;
  /**
   * Ways to write an event besides `cloudevents` and `json`, by name.
   *
   * @default none
   */
  readonly dialects?: Readonly<Record<string, Dialect>>;
  /**
   * What webhooks reach besides public addresses over https.
   *
   * @default nothing
   */
  readonly allow?: AllowOptions;
}

/**
 * What the options mean.
 *
 * @throws ConfigError if anything in them is wrong
 */
export function resolveOutbound(
  given: unknown,
  sources: ListenerSurroundings['sources'],
): Outbound {
  const options = record(given, 'outbound');
  for (const key of Object.keys(options)) {
    const isKnown = OPTIONS.includes(key);
    check(isKnown, `there is no option "${key}" in outbound, only ${OPTIONS.join(', ')}`);
  }
  const allow = orConfigError('outbound', () => toAllowRules(toAllowOptions(options.allow ?? {})));
  const secrets = resolveSecrets(record(options.secrets ?? {}, 'outbound.secrets'));
  const outbound = {
    secrets,
    transports: resolveTransports(options.transports ?? {}, { allow, secrets }),
    dialects: resolveDialects(options.dialects ?? {}),
    allow,
  };
  return {
    ...outbound,
    listeners: resolveListeners(options.listeners ?? [], { sources, outbound }),
  };
}

function toAllowOptions(given: unknown): AllowOptions {
  const options = record(given, 'outbound.allow');
  const names = ['http', 'hosts', 'addresses', 'ports'] satisfies Array<keyof AllowOptions>;
  for (const key of Object.keys(options)) {
    const isKnown = (names as string[]).includes(key);
    check(isKnown, `there is no option "${key}" in outbound.allow, only ${names.join(', ')}`);
  }
  return options;
}

function resolveSecrets(given: Record<string, unknown>): Map<string, string | undefined> {
  const secrets = new Map<string, string | undefined>();
  for (const [name, secret] of Object.entries(given)) {
    const value = isVariable(secret) ? process.env[secret.env] || undefined : secret;
    const isSecret =
      value === undefined ? isVariable(secret) : typeof value === 'string' && value !== '';
    // What was given may be a secret, so it is not repeated.
    check(isSecret, `outbound.secrets: ${name} must be text that is not empty, or env('VARIABLE')`);
    secrets.set(name, value as string | undefined);
  }
  return secrets;
}

function isVariable(secret: unknown): secret is { readonly env: string } {
  return isRecord(secret) && typeof secret.env === 'string';
}

function resolveTransports(
  given: unknown,
  { allow, secrets }: Pick<Outbound, 'allow' | 'secrets'>,
): ReadonlyMap<string, Transport> {
  const transports = new Map<string, Transport>([
    ['webhook', createWebhookTransport({ rules: allow })],
    ['noop', noop],
  ]);
  for (const [name, transport] of Object.entries(record(given, 'outbound.transports'))) {
    const isFree = !transports.has(name) && name !== ALIAS;
    check(isFree, `transport "${name}" is built in: give yours another name`);
    const isTransport = isRecord(transport) && typeof transport.send === 'function';
    check(isTransport, `transport "${name}" is not a transport; write for example amqp({ … })`);
    const checked = transport as unknown as Transport;
    const missing = checked.secrets?.find((secret) => !secrets.has(secret));
    check(missing === undefined, `transport "${name}" needs "${missing}" in outbound.secrets`);
    transports.set(name, checked);
  }
  return transports;
}

function resolveDialects(given: unknown): ReadonlyMap<string, Dialect> {
  const dialects = new Map(DIALECTS);
  for (const [name, dialect] of Object.entries(record(given, 'outbound.dialects'))) {
    check(!dialects.has(name), `dialect "${name}" is built in: give yours another name`);
    const isDialect =
      isRecord(dialect) &&
      typeof dialect.contentType === 'string' &&
      typeof dialect.body === 'function';
    check(isDialect, `dialect "${name}" is not a dialect: it has a contentType and a body(event)`);
    dialects.set(name, dialect as unknown as Dialect);
  }
  return dialects;
}

function resolveListeners(
  given: unknown,
  around: ListenerSurroundings,
): readonly ListenerDefinition[] {
  check(Array.isArray(given), 'outbound.listeners is not a list');
  const names = new Set<string>();
  return given.map((options: unknown) => {
    const name = isRecord(options) ? options.name : undefined;
    check(typeof name === 'string', 'a listener in outbound.listeners has no name');
    check(!names.has(name), `two listeners are called "${name}"`);
    names.add(name);
    return orConfigError(`listener "${name}"`, () => toDefinition(options, around));
  });
}

/** What is wrong is said in a sentence already. */
function orConfigError<T>(where: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new ConfigError(`${where}: ${error.message}`, { cause: error });
  }
}

function record(value: unknown, what: string): Record<string, unknown> {
  check(isRecord(value), `${what} is not an object`);
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new ConfigError(message);
}
