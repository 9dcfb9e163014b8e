// The headers and keys of a listener: definitions are in histories, so what is secret is in them by
// name only.

import type { HeaderValue, SigningKey } from '../events/listener.ts';
import { KeyError, toSign } from '../events/signature.ts';
import { ListenerError } from './errors.ts';
import { checkFields, toFields, toList, toText } from './fields.ts';
import { isCredential, isReserved } from './headers.ts';
import type { Outbound } from './outbound.ts';

const HEADERS_MAX = 32;
const HEADER_LENGTH_MAX = 4_096;
const KEYS_MAX = 10;
const SECRET_NAME_LENGTH_MAX = 100;

/** What HTTP takes for a name, and for a value. */
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]{1,100}$/;
const HEADER_TEXT = /^[\t\x20-\x7e\xa0-\xff]*$/;

/** A time in RFC 3339. */
const TIME = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

type Secrets = Pick<Outbound, 'secrets'>;

/** @throws ListenerError if they are no headers, or one has its secret in it */
export function toHeaderValues(given: unknown, around: Secrets): Record<string, HeaderValue> {
  const entries = Object.entries(toFields(given, 'headers'));
  if (entries.length > HEADERS_MAX) {
    throw new ListenerError(`${entries.length} headers, at most ${HEADERS_MAX}`);
  }
  const names = new Set<string>();
  for (const [name] of entries) {
    if (!HEADER_NAME.test(name)) throw new ListenerError('the name of a header is malformed');
    if (isReserved(name)) throw new ListenerError(`the header ${name} is not for listeners to set`);
    if (names.has(name.toLowerCase())) throw new ListenerError(`the header ${name} is given twice`);
    names.add(name.toLowerCase());
  }
  return Object.fromEntries(
    entries.map(([name, value]) => [name, toHeaderValue(name, value, around)]),
  );
}

/** @throws ListenerError if they are no names of secrets, or one of these signs nothing */
export function toSigningKeys(given: unknown, around: Secrets): readonly SigningKey[] {
  const list = toList(typeof given === 'string' ? [given] : given, 'signing', KEYS_MAX);
  return list.map((one) => toSigningKey(typeof one === 'string' ? { secret: one } : one, around));
}

function toHeaderValue(name: string, given: unknown, around: Secrets): HeaderValue {
  if (typeof given !== 'string') return toReference(name, given, around);
  // What was given may be a secret, so it is not repeated.
  if (isCredential(name)) {
    throw new ListenerError(`the header ${name} would be on record: give it as { secret: 'NAME' }`);
  }
  checkHeaderText(name, given);
  return given;
}

function toReference(name: string, given: unknown, around: Secrets): HeaderValue {
  const fields = toFields(given, `the header ${name}`);
  checkFields(fields, ['secret', 'prefix'], `the header ${name}`);
  const secret = toSecretName(fields.secret, around);
  const { prefix } = fields;
  if (prefix === undefined) return { secret };
  if (typeof prefix !== 'string') throw new ListenerError(`the prefix of ${name} is not text`);
  checkHeaderText(name, prefix);
  return { secret, prefix };
}

function checkHeaderText(name: string, text: string): void {
  if (text.length > HEADER_LENGTH_MAX) {
    throw new ListenerError(
      `the header ${name} is ${text.length} characters, at most ${HEADER_LENGTH_MAX}`,
    );
  }
  if (HEADER_TEXT.test(text)) return;
  throw new ListenerError(`the header ${name} has a line end or another unfit character in it`);
}

function toSecretName(given: unknown, { secrets }: Secrets): string {
  const name = toText(given, 'the name of a secret', SECRET_NAME_LENGTH_MAX);
  if (secrets.has(name)) return name;
  throw new ListenerError(`there is no secret "${name}" in the configuration's outbound.secrets`);
}

function toSigningKey(given: unknown, around: Secrets): SigningKey {
  const fields = toFields(given, 'a signing key');
  checkFields(fields, ['secret', 'until'], 'a signing key');
  const secret = toSecretName(fields.secret, around);
  checkKey(secret, around.secrets.get(secret));
  const { until } = fields;
  if (until === undefined) return { secret };
  if (typeof until === 'string' && TIME.test(until) && !Number.isNaN(Date.parse(until))) {
    return { secret, until: new Date(until).toISOString() };
  }
  throw new ListenerError('until of a signing key is not a time such as 2027-01-31T12:00:00Z');
}

/** A process that has the value sees at once whether it is a key. */
function checkKey(name: string, value: string | undefined): void {
  if (value === undefined) return;
  try {
    toSign(value);
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    throw new ListenerError(`the secret "${name}" signs nothing: it is no whsec_ or whsk_ key`);
  }
}
