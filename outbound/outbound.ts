// What the configuration says of listeners, complete and checked.

import type { ListenerDefinition } from '../events/listener.ts';
import type { AllowRules } from './addresses.ts';
import type { Dialect } from './dialects.ts';
import { MendableError } from './errors.ts';
import type { Transport } from './transport.ts';

export interface Outbound {
  /** Those that are in the configuration. */
  readonly listeners: readonly ListenerDefinition[];
  /** By name; `undefined` if its environment variable is not set. */
  readonly secrets: ReadonlyMap<string, string | undefined>;
  readonly transports: ReadonlyMap<string, Transport>;
  readonly dialects: ReadonlyMap<string, Dialect>;
  readonly allow: AllowRules;
}

/** @throws MendableError if there is none of the name, or its environment variable is not set */
export function secretOf({ secrets }: Pick<Outbound, 'secrets'>, name: string): string {
  const value = secrets.get(name);
  if (value !== undefined) return value;
  const reason = secrets.has(name) ? 'is not set' : 'is not in the configuration';
  throw new MendableError(`the secret "${name}" ${reason}`);
}

/** Closes the connections of all transports. They are made again if something is sent after that. */
export async function closeTransports({ transports }: Pick<Outbound, 'transports'>): Promise<void> {
  await Promise.all([...transports.values()].map(async (transport) => transport.close?.()));
}
