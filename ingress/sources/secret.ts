// Secrets of sources: text, or the name of the environment variable that holds it.

import { ConfigError } from '../../config/errors.ts';

/** The value of an environment variable. `env()` makes one. */
export interface EnvironmentVariable {
  readonly env: string;
}

/** Text that is not for everybody's eyes, or where it is. */
export type Secret = string | EnvironmentVariable;

/** One secret, or all that hold while one takes the place of another. */
export type Secrets = Secret | readonly Secret[];

/** Takes every request from anyone who can send one. */
export interface Unverified {
  readonly verify: 'none';
}

/** The settings of a source that is verified with a secret. */
export interface SecretOptions {
  readonly verify?: undefined;
  /**
   * What the sender signs with. Of several, each holds: so the sender may be told a new one while
   * requests with the old are still on their way.
   */
  readonly secret: Secrets;
}

/** Secrets with their values. */
export interface ResolvedSecrets {
  readonly values: readonly string[];
  /** The environment variables that are not set, if there are no values at all. */
  readonly missing: readonly string[];
}

/**
 * The value of an environment variable, read when the configuration is loaded. If it is not set, or
 * empty, the source that needs it is off: it is listed as such when the ingress starts, and answers
 * 503. In a list of secrets one that is set is enough.
 *
 * @throws ConfigError if that can be no variable's name
 *
 * @example
 * const source = github({ secret: env('GITHUB_WEBHOOK_SECRET') });
 */
export function env(variable: string): EnvironmentVariable {
  if (!/^[A-Za-z_]\w*$/.test(variable)) {
    // What was given may be the secret itself, so it is not repeated.
    throw new ConfigError(`env: that is not the name of an environment variable`);
  }
  return { env: variable };
}

/**
 * The values of secrets.
 *
 * @throws ConfigError if there are none, or one is no secret
 */
export function resolveSecrets(secrets: unknown, what: string): ResolvedSecrets {
  const given: readonly unknown[] = Array.isArray(secrets) ? secrets : [secrets];
  if (given.length === 0) throw new ConfigError(`${what} is an empty list`);
  const values: string[] = [];
  const missing: string[] = [];
  for (const secret of given) {
    const value = isVariable(secret) ? process.env[secret.env] || undefined : secret;
    if (isVariable(secret) && value === undefined) missing.push(secret.env);
    else if (typeof value === 'string' && value !== '') values.push(value);
    // What was given may be a secret, so it is not repeated.
    else throw new ConfigError(`${what} must be text that is not empty, or env('VARIABLE')`);
  }
  return { values, missing: values.length > 0 ? [] : missing };
}

function isVariable(secret: unknown): secret is EnvironmentVariable {
  return (
    typeof secret === 'object' &&
    secret !== null &&
    'env' in secret &&
    typeof secret.env === 'string'
  );
}
