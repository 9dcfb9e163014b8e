// Where requests may go: to the public internet, and to what the configuration allows besides. A
// listener's url comes from outside, so without this it could reach whatever the worker reaches.

import { isIP } from 'node:net';

import ipaddr from 'ipaddr.js';

import { AddressError } from './errors.ts';

/** Longest url, in characters. */
export const URL_LENGTH_MAX = 2_048;

const HTTPS_PORT = 443;
const HTTP_PORT = 80;
const PORT_MAX = 65_535;

/** What is not public in IPv4, by the registry of special-purpose addresses, and multicast. */
const DENIED_V4 = toRanges([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]);

/**
 * All that is public in IPv6. So loopback, private, link-local and multicast addresses are not, and
 * neither are the forms that have an address of IPv4 in them: compatible (`::/96`), NAT64.
 */
const GLOBAL_V6 = toRanges(['2000::/3']);

/** ... but for protocols (Teredo among them), documentation, and 6to4. */
const DENIED_V6 = toRanges(['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']);

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [Address, number];

/** What is reachable besides public addresses over https. */
export interface AllowOptions {
  /**
   * Also `http://`, to whatever is reachable. What it carries, everybody on the way can read.
   *
   * @default false
   */
  readonly http?: boolean;
  /**
   * Hosts that are reachable whatever address they have, such as `hooks.internal`. `*.internal`
   * stands for every name that ends so.
   *
   * @default none
   */
  readonly hosts?: readonly string[];
  /**
   * Addresses that are reachable though they are not public, such as `10.1.0.0/16` or `::1`.
   *
   * @default none
   */
  readonly addresses?: readonly string[];
  /**
   * The ports that are reachable.
   *
   * @default 443, and 80 if `http` is allowed
   */
  readonly ports?: readonly number[] | 'any';
}

/** What is reachable: options that are complete and checked. */
export interface AllowRules {
  readonly isHttpAllowed: boolean;
  /** In lower case. */
  readonly hosts: readonly string[];
  readonly ranges: readonly Range[];
  readonly ports: readonly number[] | 'any';
}

/**
 * The rules that the options mean.
 *
 * @throws AddressError if an option is malformed
 */
export function toAllowRules(options: AllowOptions = {}): AllowRules {
  const { http = false, hosts = [], addresses = [], ports } = options;
  if (typeof http !== 'boolean') throw new AddressError('allow.http is neither true nor false');
  checkTexts(hosts, 'allow.hosts');
  checkTexts(addresses, 'allow.addresses');
  if (ports !== undefined && ports !== 'any' && !isPorts(ports)) {
    throw new AddressError("allow.ports is neither a list of ports nor 'any'");
  }
  return {
    isHttpAllowed: http,
    hosts: hosts.map((host) => bareHost(host)),
    ranges: toRanges(addresses),
    ports: ports ?? (http ? [HTTPS_PORT, HTTP_PORT] : [HTTPS_PORT]),
  };
}

/**
 * The url, if requests may go there as far as it tells by itself. What a name resolves to is
 * checked when a connection is made.
 *
 * @throws AddressError if they may not
 */
export function checkUrl(text: string, rules: AllowRules): URL {
  const url = parseUrl(text);
  const { protocol, hostname } = url;
  const isHttp = protocol === 'http:';
  if (isHttp && !rules.isHttpAllowed) throw new AddressError('the url is not https');
  if (!isHttp && protocol !== 'https:') {
    throw new AddressError(`the url is ${protocol}, which is not https`);
  }
  const port = Number(url.port || (isHttp ? HTTP_PORT : HTTPS_PORT));
  if (rules.ports !== 'any' && !rules.ports.includes(port)) {
    throw new AddressError(`port ${port} is not allowed`);
  }
  if (!isHostAllowed(bareHost(hostname), rules)) {
    throw new AddressError(`the address of ${hostname} is not allowed`);
  }
  return url;
}

/**
 * A url whose text hides nothing: parsers drop tabs and line ends, and take `\` for `/`.
 *
 * @throws AddressError if it is none, or has credentials in it
 */
export function parseUrl(text: string): URL {
  if (text.length > URL_LENGTH_MAX) {
    throw new AddressError(`the url is ${text.length} characters, at most ${URL_LENGTH_MAX}`);
  }
  if (/[\s\\\p{Cc}]/u.test(text) || !URL.canParse(text)) {
    throw new AddressError('the url is not a URL');
  }
  const url = new URL(text);
  if (url.username === '' && url.password === '') return url;
  throw new AddressError('the url has credentials in it: give them as a header with a secret');
}

/** Whether requests may go to an address that a host has. */
export function isReachable(host: string, address: string, rules: AllowRules): boolean {
  return isListed(bareHost(host), rules) || isAddressAllowed(address, rules);
}

/** Without the brackets of an address, and the dot that says that a name is complete. */
export function bareHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

/** What can be said of a host before it is resolved. */
function isHostAllowed(host: string, rules: AllowRules): boolean {
  if (isListed(host, rules)) return true;
  if (isIP(host) !== 0) return isAddressAllowed(host, rules);
  const isLocal = host === 'localhost' || host.endsWith('.localhost');
  return !isLocal || ['127.0.0.1', '::1'].some((address) => isAddressAllowed(address, rules));
}

function isListed(host: string, { hosts }: AllowRules): boolean {
  return hosts.some((listed) =>
    listed.startsWith('*.') ? host.endsWith(listed.slice(1)) : host === listed,
  );
}

function isAddressAllowed(text: string, { ranges }: AllowRules): boolean {
  const address = toAddress(text);
  return address !== undefined && (isPublic(address) || isIn(address, ranges));
}

/** An address of IPv4 in the form of IPv6 becomes what it is. One with a zone is none for us. */
function toAddress(text: string): Address | undefined {
  const version = text.includes('%') ? 0 : isIP(text);
  if (version === 0) return undefined;
  // As urls write it: the library takes `::8.8.8.8` for the same as `::ffff:8.8.8.8`.
  return ipaddr.process(version === 4 ? text : bareHost(new URL(`http://[${text}]`).hostname));
}

function isPublic(address: Address): boolean {
  if (address.kind() === 'ipv4') return !isIn(address, DENIED_V4);
  return isIn(address, GLOBAL_V6) && !isIn(address, DENIED_V6);
}

function isIn(address: Address, ranges: readonly Range[]): boolean {
  return ranges.some(([base, bits]) => base.kind() === address.kind() && address.match(base, bits));
}

/** @throws AddressError if one is neither an address nor a range such as `10.1.0.0/16` */
function toRanges(texts: readonly string[]): readonly Range[] {
  return texts.map((text) => {
    const [, address = '', bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
    const base = toAddress(address);
    const longest = base?.kind() === 'ipv4' ? 32 : 128;
    const length = Number(bits ?? longest);
    if (base !== undefined && length <= longest) return [base, length];
    throw notRange(text);
  });
}

function notRange(text: string): AddressError {
  return new AddressError(`"${text}" is neither an address nor a range such as 10.1.0.0/16`);
}

function checkTexts(value: unknown, what: string): void {
  const isList =
    Array.isArray(value) && value.every((one) => typeof one === 'string' && one !== '');
  if (!isList) throw new AddressError(`${what} is not a list of text`);
}

function isPorts(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every(isPort);
}

function isPort(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) <= PORT_MAX;
}
