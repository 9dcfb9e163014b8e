// Headers: which carry secrets by their name, and which are not for a listener to set.

/** Names of headers that carry what proves who somebody is. */
const CREDENTIALS =
  /^(?:proxy-)?authorization$|^cookie2?$|(?:^|[-_])(?:api-?key|(?:auth|access)-?key|token|secret|password)$/i;

/** Those of the connection, of the length, and of the signature. */
const RESERVED =
  /^(?:host|connection|content-length|transfer-encoding|keep-alive|upgrade|expect|te|trailer|proxy-connection|accept-encoding|content-encoding|webhook-(?:id|timestamp|signature))$/i;

export function isCredential(name: string): boolean {
  return CREDENTIALS.test(name);
}

export function isReserved(name: string): boolean {
  return RESERVED.test(name);
}

/** Of headers whose names differ only in case, the later ones take the place of the earlier. */
export function mergeHeaders(
  ...all: ReadonlyArray<Readonly<Record<string, string>>>
): Record<string, string> {
  const merged = new Map<string, readonly [name: string, value: string]>();
  for (const headers of all) {
    for (const pair of Object.entries(headers)) merged.set(pair[0].toLowerCase(), pair);
  }
  return Object.fromEntries(merged.values());
}
