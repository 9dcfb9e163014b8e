// How a process logs: lines for people to read, or JSON for machines. `LOG_FORMAT` and
// `LOG_LEVEL` say which, and how much.

import { format } from 'node:util';

import { pino } from 'pino';

import { ConfigError } from './errors.ts';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
const FORMATS = ['json', 'text'] as const;

export type LogLevel = (typeof LEVELS)[number];

/** What a line is about, for machines. Beside these, any attributes. */
export interface LogEntry extends Readonly<Record<string, unknown>> {
  /** @default 'info' */
  readonly level?: LogLevel;
  readonly source?: string;
  readonly eventId?: string;
  readonly requestId?: string | undefined;
  /** Its type, message, stack and causes are logged, and nothing else of it. */
  readonly error?: unknown;
}

/** Takes a line for people, and what it is about for machines. */
export type Log = (line: string, entry?: LogEntry) => void;

/** What stands in the place of a secret. */
export const REDACTED = '[redacted]';

/** Names of headers and attributes whose values nobody may read in a log. */
const SECRET =
  /auth|cookie|signature|\bsig\b|secret|token|passw|credential|hmac|api[-_]?key|private[-_]?key/i;

/** Headers that are known to hold no secret: of all others only the names are logged. */
const HARMLESS_HEADERS: ReadonlySet<string> = new Set(
  (
    'accept accept-encoding content-encoding content-length content-type host user-agent ' +
    'traceparent x-request-id webhook-id webhook-timestamp ce-id ce-source ce-type ' +
    'ce-specversion ce-time idempotency-key x-github-event x-github-delivery x-gitlab-event ' +
    'x-shopify-topic x-slack-retry-num x-slack-request-timestamp linear-event linear-delivery'
  ).split(' '),
);

/** Deeper than this, attributes are not looked through, and so not logged. */
const DEPTH_MAX = 4;

/** Causes of an error that are logged. */
const CAUSES_MAX = 5;

/**
 * The log of a process, on its standard output.
 *
 * `LOG_FORMAT` is `json` or `text`, `LOG_LEVEL` is `debug`, `info`, `warn` or `error`.
 *
 * @throws ConfigError if either is anything else
 */
export function createLog(
  env: NodeJS.ProcessEnv,
  write: (text: string) => void = (text) => void process.stdout.write(text),
): Log {
  const level = oneOf(LEVELS, 'LOG_LEVEL', env.LOG_LEVEL || 'info');
  const isJson = oneOf(FORMATS, 'LOG_FORMAT', env.LOG_FORMAT || 'json') === 'json';
  return isJson ? createJsonLog(level, write) : createTextLog(level, write);
}

/**
 * The log of this process. As JSON, it has all that is printed: the library's own warnings, and
 * what users' code prints.
 *
 * @throws ConfigError
 */
export function startLog(env: NodeJS.ProcessEnv): Log {
  const log = createLog(env);
  if (env.LOG_FORMAT !== 'text') captureConsole(log);
  return log;
}

function captureConsole(log: Log): void {
  const take =
    (level: LogLevel) =>
    (...args: unknown[]): void =>
      log(format(...args), { level });
  console.debug = take('debug');
  console.log = take('info');
  console.info = take('info');
  console.warn = take('warn');
  console.error = take('error');
}

/** Headers as they may be logged. */
export function redactHeaders(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const shown = Object.entries(headers).map(([name, value]) => {
    return [name, HARMLESS_HEADERS.has(name.toLowerCase()) ? value : REDACTED] as const;
  });
  return Object.fromEntries(shown);
}

function createTextLog(least: LogLevel, write: (text: string) => void): Log {
  return (line, { level = 'info' } = {}) => {
    if (LEVELS.indexOf(level) >= LEVELS.indexOf(least)) write(`${line}\n`);
  };
}

function createJsonLog(level: LogLevel, write: (text: string) => void): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // Its own would make of an error what it likes.
      serializers: { err: (record: ErrorRecord) => record },
    },
    { write },
  );
  return (line, { level: at = 'info', error, ...attributes } = {}) => {
    if (!logger.isLevelEnabled(at)) return;
    const entry = redact(attributes, DEPTH_MAX) as object;
    logger[at]({ ...entry, ...(error !== undefined && { err: toRecord(error) }) }, line);
  };
}

function redact(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return toRecord(value);
  if (depth === 0) return '[...]';
  if (Array.isArray(value)) return value.map((item) => redact(item, depth - 1));
  const shown = Object.entries(value).map(([name, held]) => {
    const isSecret = SECRET.test(name) && held !== undefined;
    return [name, isSecret ? REDACTED : redact(held, depth - 1)] as const;
  });
  return Object.fromEntries(shown);
}

interface ErrorRecord {
  readonly type: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly cause?: ErrorRecord;
}

/** Not what libraries hang on their errors: that may be a whole request, with its headers. */
function toRecord(error: unknown, causes = CAUSES_MAX): ErrorRecord {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
  const { name: type, message, stack, cause } = error;
  const hasCause = cause !== undefined && causes > 0;
  return { type, message, stack, ...(hasCause && { cause: toRecord(cause, causes - 1) }) };
}

function oneOf<T extends string>(known: readonly T[], variable: string, given: string): T {
  const found = known.find((one) => one === given);
  if (found !== undefined) return found;
  throw new ConfigError(`${variable} is "${given}", must be one of ${known.join(', ')}`);
}
