// From the name of a host to addresses, each of which was checked.

import { promises as dns, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { callbackify } from 'node:util';

import { isReachable, type AllowRules } from './addresses.ts';
import { AddressError } from './errors.ts';

/** How long a name server may take for one question, in milliseconds. */
const QUESTION_MS_MAX = 2_500;

/** How often it is asked. */
const QUESTIONS_MAX = 2;

/** The addresses of a host. Rejects if there are none. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export interface ResolveOptions {
  /** Name servers, such as `127.0.0.1:53`. @default those of the system */
  readonly servers?: readonly string[];
  /** @default 2_500 */
  readonly questionMsMax?: number;
}

/**
 * Asks the name servers, and for what they do not know the system, which has a file of hosts and
 * domains to search. Not the system at once: it has four threads for that, and four names whose
 * servers are dead would hold up every other.
 */
export function createResolve(options: ResolveOptions = {}): Resolve {
  const { servers, questionMsMax = QUESTION_MS_MAX } = options;
  const resolver = new dns.Resolver({ timeout: questionMsMax, tries: QUESTIONS_MAX });
  if (servers !== undefined) resolver.setServers(servers);
  const underway = new Map<string, Promise<readonly string[]>>();
  return (host) => {
    const resolving = underway.get(host) ?? resolveWith(resolver, host);
    underway.set(host, resolving);
    const forget = (): unknown => underway.delete(host);
    resolving.then(forget, forget);
    return resolving;
  };
}

/**
 * What a connection asks for the addresses of its host: exactly those that were checked are
 * dialled. If one of them is not allowed, none is.
 */
export function createLookup(rules: AllowRules, resolve: Resolve): LookupFunction {
  const find = callbackify((host: string) => findAddresses(host, rules, resolve));
  return (host, options, callback) => {
    find(host, (error, found) => {
      const [first] = found ?? [];
      if (error !== null || first === undefined) callback(error ?? notFound(host), '', 0);
      else if (options.all === true) callback(null, [...found]);
      else callback(null, first.address, first.family);
    });
  };
}

async function findAddresses(
  host: string,
  rules: AllowRules,
  resolve: Resolve,
): Promise<readonly LookupAddress[]> {
  const addresses = await resolve(host);
  if (!addresses.every((address) => isReachable(host, address, rules))) {
    throw new AddressError('the address is not allowed');
  }
  return addresses.map((address) => ({ address, family: isIP(address) }));
}

async function resolveWith(resolver: dns.Resolver, host: string): Promise<readonly string[]> {
  // A name of one label is of this network: a container, a line in the file of hosts.
  if (!host.includes('.')) return resolveBySystem(host);
  const [v4, v6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  const found = [v4, v6].flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
  if (found.length > 0) return found;
  const isLate = [v4, v6].some(
    (one) => one.status === 'rejected' && codeOf(one.reason) === 'ETIMEOUT',
  );
  if (isLate) throw notFound(host);
  return resolveBySystem(host);
}

async function resolveBySystem(host: string): Promise<readonly string[]> {
  const found = await dns.lookup(host, { all: true });
  return found.map(({ address }) => address);
}

function notFound(host: string): Error {
  return Object.assign(new Error(`there is no ${host}`), { code: 'ENOTFOUND' });
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
