// The keys of applications and operators. A key is shown once, when it is made; what is kept is
// its hash, in a file beside the configuration.

import { createHash, randomBytes, randomInt } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

import { z } from 'zod';

import { ConfigError } from './errors.ts';
import { findConfigFile } from './load.ts';

/** What the file is called, beside the configuration. */
export const KEYS_NAME = 'nextevent.keys.json';

/** Longest name of a key, in characters. */
const NAME_LENGTH_MAX = 100;

/** How many keys there may be. Bounds what is kept in memory for them. */
const KEYS_MAX = 1_000;

const ID_LENGTH = 12;
const ID_ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
const SECRET_BYTES = 32;

/** `ne_<id>_<secret>`: the prefix tells those who find one what it is, the id which one. */
const KEY = /^ne_([a-z0-9]{12})_[A-Za-z0-9_-]{43}$/;

/**
 * What a key is for.
 *
 * - `publisher`: publishes events to its sources
 * - `reader`: asks the management API what there is
 * - `admin`: also has the management API change something
 */
export const ROLES = ['publisher', 'reader', 'admin'] as const;

export type Role = (typeof ROLES)[number];

const apiKeySchema = z
  .strictObject({
    id: z.string().regex(/^[a-z0-9]{12}$/, 'must be 12 lower-case letters and digits'),
    name: z.string().trim().min(1, 'is empty').max(NAME_LENGTH_MAX),
    role: z.enum(ROLES),
    sources: z.array(z.string()).optional(),
    hash: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits'),
    created: z.iso.datetime(),
  })
  .superRefine(({ role, sources = [] }, context) => {
    const message = sourcesProblem(role, sources);
    if (message !== undefined) context.addIssue({ code: 'custom', path: ['sources'], message });
  });

const keysSchema = z.array(apiKeySchema).max(KEYS_MAX);

/** A key as it is kept. */
export interface ApiKey {
  /** Part of the key, and no secret: logs name the key by it. */
  readonly id: string;
  /** Whose it is. */
  readonly name: string;
  readonly role: Role;
  /** The sources that a publisher publishes to. */
  readonly sources?: readonly string[] | undefined;
  /** The SHA-256 of the key, in hexadecimal digits. The key is random: it needs no slow hash. */
  readonly hash: string;
  /** When it was made: RFC 3339, in UTC. */
  readonly created: string;
}

/** A key that was just made. */
export interface CreatedKey {
  /** What its holder sends. It is kept nowhere. */
  readonly key: string;
  readonly entry: ApiKey;
}

/**
 * Makes a key of 256 random bits.
 *
 * @throws ConfigError if it has no name, a publisher has no sources, or another has some
 */
export function createApiKey({
  name,
  role,
  sources,
}: Pick<ApiKey, 'name' | 'role' | 'sources'>): CreatedKey {
  const id = Array.from({ length: ID_LENGTH }, () => ID_ALPHABET[randomInt(ID_ALPHABET.length)]);
  const key = `ne_${id.join('')}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
  const entry: ApiKey = {
    id: id.join(''),
    name,
    role,
    ...(sources && { sources }),
    hash: hashKey(key),
    created: new Date().toISOString(),
  };
  const { error } = apiKeySchema.safeParse(entry);
  if (error) throw toConfigError('the key', error);
  return { key, entry };
}

/** The id that a key names; undefined if it is not of the form of one. */
export function idOfKey(key: string): string | undefined {
  return KEY.exec(key)?.[1];
}

export function hashKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/** The file of the keys: the one that `NEXTEVENT_KEYS` names, else that beside the configuration. */
export function keysFile(): string {
  const named = process.env.NEXTEVENT_KEYS;
  return named ? resolve(named) : join(dirname(findConfigFile()), KEYS_NAME);
}

/**
 * The API keys in a file: the one given, else the one that `NEXTEVENT_KEYS` names, else
 * `nextevent.keys.json` beside the configuration. None if there is no file.
 *
 * @throws ConfigError with one sentence that says what is wrong in which file
 *
 * @example
 * const app = createApp({ sources, dispatcher, ready, log, apiKeys: loadApiKeys() });
 */
export function loadApiKeys(file = keysFile()): readonly ApiKey[] {
  const text = readFile(file);
  return text === undefined ? [] : resolveApiKeys(toJson(text, basename(file)), basename(file));
}

/** @throws ConfigError if `NEXTEVENT_KEYS` names a file that is not there: without it all keys are refused */
export function checkKeysFile(): void {
  if (!process.env.NEXTEVENT_KEYS || existsSync(keysFile())) return;
  throw new ConfigError(`NEXTEVENT_KEYS is ${keysFile()}, which is not there`);
}

/** Writes the file, at once or not at all. */
export function saveApiKeys(keys: readonly ApiKey[], file = keysFile()): void {
  const checked = resolveApiKeys(keys, basename(file));
  const written = `${file}.${process.pid}.tmp`;
  writeFileSync(written, `${JSON.stringify(checked, undefined, 2)}\n`);
  renameSync(written, file);
}

/**
 * Checks keys that are kept.
 *
 * @throws ConfigError that names the place, and says what is wrong there
 */
export function resolveApiKeys(given: unknown, where: string): readonly ApiKey[] {
  const { data, error } = keysSchema.safeParse(given);
  if (error) throw toConfigError(where, error);
  const ids = new Set(data.map(({ id }) => id));
  if (ids.size < data.length) throw new ConfigError(`${where}: two keys have the same id`);
  return data;
}

function toConfigError(where: string, { issues: [issue] }: z.ZodError): ConfigError {
  return new ConfigError([where, ...(issue?.path ?? []), issue?.message].join(': '));
}

function sourcesProblem(role: Role, sources: readonly string[]): string | undefined {
  if (role === 'publisher' && sources.length === 0) return 'a publisher needs at least one source';
  if (role !== 'publisher' && sources.length > 0) return `a key of role ${role} has no sources`;
  return undefined;
}

function readFile(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new ConfigError(`${file} can not be read: ${String(error)}`, { cause: error });
  }
}

function toJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`${where} is not JSON`, { cause: error });
  }
}
