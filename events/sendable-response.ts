// What an answer to an HTTP request may have, whoever gives it.

const STATUS = { min: 200, max: 599 };

/** RFC 9110: a token, and a value without control characters. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** They belong to the connection, which is the ingress's. */
const NOT_FOR_RESPONSES: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Why status or headers can not be sent; `undefined` if they can. */
export function whyNotSendable({
  status,
  headers = {},
}: {
  readonly status?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}): string | undefined {
  if (status !== undefined && !isStatus(status)) {
    return `status ${status} is not from ${STATUS.min} to ${STATUS.max}`;
  }
  for (const [name, value] of Object.entries(headers)) {
    const isSendable = HEADER_NAME.test(name) && HEADER_VALUE.test(value);
    if (isSendable && !NOT_FOR_RESPONSES.has(name.toLowerCase())) continue;
    return `header ${JSON.stringify(name)} can not be sent`;
  }
  return undefined;
}

function isStatus(status: number): boolean {
  return Number.isInteger(status) && status >= STATUS.min && status <= STATUS.max;
}
