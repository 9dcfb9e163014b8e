// What is said of API keys at the start of the ingress.

import type { ApiKey } from '../../config/api-keys.ts';
import { ConfigError } from '../../config/errors.ts';
import { isPublished } from '../sources/published.ts';
import type { Source } from '../sources/source.ts';
import { isOperator } from './authentication.ts';

/** The names of this machine's own addresses, which others do not reach. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;

/** @throws ConfigError if the management API would be open to other machines */
export function checkManagementHost(host: string, apiKeys: readonly ApiKey[]): void {
  if (LOOPBACK.test(host) || apiKeys.some(isOperator)) return;
  throw new ConfigError(
    `MANAGEMENT_HOST is ${host}, and the management API has no keys: make one with ` +
      'npx nextevent key create --name <name> --role reader, or leave MANAGEMENT_HOST out',
  );
}

/**
 * What whoever starts the ingress should know.
 *
 * @throws ConfigError if a key is for a source that takes no published events
 */
export function describeKeys(
  apiKeys: readonly ApiKey[],
  sources: ReadonlyMap<string, Source>,
): readonly string[] {
  const publishers = apiKeys.flatMap((key) => key.sources ?? []);
  const unknown = publishers.find((name) => !isPublished(sources.get(name)));
  if (unknown !== undefined) {
    const key = apiKeys.find((one) => one.sources?.includes(unknown));
    throw new ConfigError(
      `the API key ${key?.id} is for source "${unknown}", which is no source of published events`,
    );
  }
  return [...sources]
    .filter(([name, source]) => isPublished(source) && !publishers.includes(name))
    .map(
      ([name]) =>
        `nobody can publish to ${name} yet: npx nextevent key create --name <name> ` +
        `--role publisher --sources ${name}`,
    );
}
