// Why there was no answer, in plain words: no stack, no address that the listener's owner did not
// give, nothing of what was sent.

/** How long it may take until there is a connection, in milliseconds. */
export const CONNECT_MS_MAX = 10_000;

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was reset',
  UND_ERR_SOCKET: 'the connection was closed before there was an answer',
  ENOTFOUND: 'the name could not be resolved',
  ENODATA: 'the name could not be resolved',
  EAI_AGAIN: 'the name could not be resolved',
  EHOSTUNREACH: 'the host is unreachable',
  ENETUNREACH: 'the host is unreachable',
  EADDRNOTAVAIL: 'the host is unreachable',
  ETIMEDOUT: 'no connection could be made in time',
  UND_ERR_CONNECT_TIMEOUT: `no connection within ${seconds(CONNECT_MS_MAX)}`,
  UND_ERR_INVALID_ARG: 'a header of the request has an unfit character in it',
  UND_ERR_HEADERS_OVERFLOW: 'the headers of the answer are too large',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is not trusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate is not trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate is not trusted',
};

/** What undici calls an answer that is none; it has not always a code. */
const PARSER = 'HTTPParserError';
const TLS = /^(?:ERR_SSL_|ERR_TLS_|EPROTO|CERT_)/;

/** What is said of a failure of HTTP that nobody foresaw. */
export const UNFORESEEN = 'contacting the receiver experienced an unexpected error';

/** Why an attempt failed that was to take so long at most. `undefined`: there are no words for it. */
export function toWords(error: unknown, timeoutMs: number): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error.name === 'TimeoutError') return `no answer within ${seconds(timeoutMs)}`;
  if (error.name === 'AddressError') return error.message;
  const code = codeOf(error) ?? codeOf(error.cause) ?? '';
  if (WORDS[code] !== undefined) return WORDS[code];
  if (error.name === PARSER) return 'the answer is not HTTP';
  return TLS.test(code) ? 'no TLS connection could be made' : undefined;
}

export function seconds(ms: number): string {
  return `${ms / 1_000} s`;
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
