// An exception in workflow code that is no `TemporalFailure` fails the workflow task, not the
// workflow, and Temporal repeats the task for ever. The SDK says so in a warning that names a
// run id and little else, and only at the first attempt. What it does at every attempt is to
// drop the run from its cache, for a reason that holds the whole failure: that is read here.

import { relative } from 'node:path';

import { Runtime, type Logger, type LogLevel, type LogMetadata } from '@temporalio/worker';

import type { Log, LogEntry } from '../config/log.ts';
import { GONE_AHEAD } from '../workflows/messages.ts';

/** The same failure is printed again only after this long, in milliseconds. */
const REPEAT_AFTER_MS = 60_000;

/** Failures remembered at a time, so as not to repeat them. */
const REMEMBERED_MAX = 1_000;

const EVICTED_BY_FAILURE = 'Workflow activation completion failed: ';

/** A failed task follows at once on the entry that a workflow failed, if it was no more than that. */
const FAILED_TASK_WITHIN_MS = 500;

/** What the SDK logs of a failed task besides. */
const TOLD_ALREADY = 'Failed to process Workflow Activation';

const LEVELS = {
  TRACE: 'debug',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
} as const satisfies Record<LogLevel, LogEntry['level']>;

/** Attributes that the SDK adds to every entry, which the line says or need not say. */
const SDK_ATTRIBUTES = new Set(
  (
    'sdkComponent taskQueue namespace workflowId runId workflowType ' +
    'activityId activityType attempt isLocal taskToken workflowRunId durationMs error'
  ).split(' '),
);

/** One failed workflow task. */
interface WorkflowTaskFailure {
  readonly runId: string;
  readonly workflowType: string;
  readonly workflowId: string;
  /** `TypeError`, say. */
  readonly errorName: string;
  readonly message: string;
  /** File, line and column in the user's code, where the stack names one. */
  readonly place?: string;
}

export interface RuntimeSettings {
  /**
   * Where the SDK tells Prometheus what it measures: host and port.
   *
   * @default nowhere
   */
  readonly metricsAddress?: string;
}

interface RunNames {
  readonly workflowType: string;
  readonly workflowId: string;
}

/** The part of the SDK's "Got workflow activation" entry that matters here. */
interface ActivationEntry {
  readonly runId?: string;
  readonly jobs?: ReadonlyArray<{
    readonly initializeWorkflow?: { workflowType?: string; workflowId?: string } | null;
    readonly removeFromCache?: { message?: string } | null;
  }>;
}

/**
 * Installs the process's Temporal runtime, which prints through `log`: failed workflow tasks
 * with file and line, what the user's workflows and activities log, and the SDK's own warnings.
 *
 * Call it before anything else of the worker SDK. Signals are left to the caller.
 */
export function installRuntime(log: Log, { metricsAddress }: RuntimeSettings = {}): void {
  Runtime.install({
    logger: createRuntimeLogger(log),
    shutdownSignals: [],
    // Not forwarded to the logger: the detour holds every entry back for 100 ms, and the
    // activation that it describes has been taken apart by then.
    telemetryOptions: {
      logging: { filter: { core: 'ERROR', other: 'ERROR' }, console: {} },
      ...(metricsAddress !== undefined && { metrics: toMetrics(metricsAddress) }),
    },
  });
}

/** In the units and with the names that Prometheus recommends. */
function toMetrics(bindAddress: string) {
  return {
    prometheus: {
      bindAddress,
      countersTotalSuffix: true,
      unitSuffix: true,
      useSecondsForDurations: true,
    },
  };
}

/** The logger of `installRuntime`. */
export function createRuntimeLogger(log: Log): Logger {
  const runs = new Map<string, RunNames>();
  const printFailure = onceAMinute(log);
  // A workflow that failed, until it is clear that not only its task did.
  const failed = new Map<string, NodeJS.Timeout>();
  const write = (level: LogLevel, message: string, meta: LogMetadata = {}): void => {
    if (level === 'TRACE' && message === 'Got workflow activation') {
      for (const failure of failuresIn(meta, runs)) {
        clearTimeout(failed.get(failure.runId));
        failed.delete(failure.runId);
        // It was a query that failed, and whoever asked knows.
        if (failure.message !== GONE_AHEAD) printFailure(failure);
      }
    } else if (message === 'Workflow failed') {
      const runId = String(meta.runId);
      const print = (): void => {
        failed.delete(runId);
        log(formatEntry(level, message, meta), toLogEntry(level, meta));
      };
      clearTimeout(failed.get(runId));
      failed.set(runId, setTimeout(print, FAILED_TASK_WITHIN_MS).unref());
    } else if (isWorthPrinting(level, message, meta)) {
      log(formatEntry(level, message, meta), toLogEntry(level, meta));
    }
  };
  return {
    log: write,
    trace: (message, meta) => write('TRACE', message, meta),
    debug: (message, meta) => write('DEBUG', message, meta),
    info: (message, meta) => write('INFO', message, meta),
    warn: (message, meta) => write('WARN', message, meta),
    error: (message, meta) => write('ERROR', message, meta),
  };
}

/** Keeps `runs` equal to the runs in the worker's cache, and gives those evicted by a failure. */
function* failuresIn(
  { runId = '', jobs = [] }: ActivationEntry,
  runs: Map<string, RunNames>,
): Generator<WorkflowTaskFailure> {
  for (const { initializeWorkflow, removeFromCache } of jobs) {
    if (initializeWorkflow) {
      const { workflowType = 'workflow', workflowId = runId } = initializeWorkflow;
      runs.set(runId, { workflowType, workflowId });
    }
    if (removeFromCache) {
      const names = runs.get(runId) ?? { workflowType: 'workflow', workflowId: runId };
      runs.delete(runId);
      const { message = '' } = removeFromCache;
      if (message.startsWith(EVICTED_BY_FAILURE))
        yield { runId, ...names, ...parseFailure(message) };
    }
  }
}

/** Reads the failure out of the text that the SDK's native part makes of it. */
function parseFailure(text: string): Pick<WorkflowTaskFailure, 'errorName' | 'message' | 'place'> {
  const message = quotedField(text, 'message') ?? text.slice(EVICTED_BY_FAILURE.length);
  const stack = quotedField(text, 'stack_trace') ?? '';
  const place = firstPlace(stack);
  return {
    errorName: errorNameIn(stack, message),
    message,
    ...(place === undefined ? {} : { place }),
  };
}

function quotedField(text: string, field: string): string | undefined {
  const quoted = new RegExp(String.raw`\b${field}: "((?:[^"\\]|\\.)*)"`, 's').exec(text)?.[1];
  return quoted?.replaceAll(
    /\\(?:u\{([0-9a-f]+)\}|(.))/gs,
    (_escape, code: string | undefined, char: string) =>
      code === undefined
        ? ({ n: '\n', r: '\r', t: '\t', '0': '\0' }[char] ?? char)
        : String.fromCodePoint(Number.parseInt(code, 16)),
  );
}

function errorNameIn(stack: string, message: string): string {
  const [firstLine = ''] = message.split('\n');
  for (const line of stack.split('\n')) {
    if (!line.endsWith(firstLine)) continue;
    const name = /^([\w$]+)(?: \[\w+\])?(?:: |$)/.exec(line)?.[1];
    if (name !== undefined) return name;
  }
  return 'Error';
}

/** The first frame that is not the SDK's, Node's or a dependency's. */
function firstPlace(stack: string): string | undefined {
  for (const line of stack.split('\n')) {
    const frame = /^\s+at (?:.*\()?(.+?):(\d+):(\d+)\)?$/.exec(line);
    if (frame === null) continue;
    const [, file = '', row, column] = frame;
    if (/node_modules|^node:|^evalmachine|workflow-bundle-/.test(file)) continue;
    return `${shortened(file)}:${row}:${column}`;
  }
  return undefined;
}

function shortened(file: string): string {
  const fromHere = relative(process.cwd(), file);
  return fromHere.startsWith('..') ? file : fromHere;
}

function formatFailure(failure: WorkflowTaskFailure): string {
  const { workflowType, workflowId, errorName, message, place } = failure;
  const where = place === undefined ? '' : ` (${place})`;
  const what = `${errorName}: ${message.replaceAll('\n', ' ')}${where}`;
  return `${workflowType} ${workflowId} failed its task: ${what}; Temporal retries it`;
}

function onceAMinute(log: Log): (failure: WorkflowTaskFailure) => void {
  const printed = new Map<string, number>();
  return (failure) => {
    const line = formatFailure(failure);
    const now = Date.now();
    if (now - (printed.get(line) ?? Number.NEGATIVE_INFINITY) < REPEAT_AFTER_MS) return;
    // Deleted first, so that the oldest entry of the map is always its first.
    printed.delete(line);
    printed.set(line, now);
    const [oldest] = printed.keys();
    if (printed.size > REMEMBERED_MAX && oldest !== undefined) printed.delete(oldest);
    log(line, { level: 'error', ...failure });
  };
}

function isWorthPrinting(level: LogLevel, message: string, { sdkComponent }: LogMetadata): boolean {
  if (level === 'TRACE' || level === 'DEBUG' || message === TOLD_ALREADY) return false;
  // What the user's own code logs; the SDK's own information is noise here.
  return level !== 'INFO' || sdkComponent === 'workflow' || sdkComponent === 'activity';
}

/** What is logged of it at its level, with all that the SDK and the user say of it. */
function toLogEntry(level: LogLevel, meta: LogMetadata): LogEntry {
  return { ...meta, level: LEVELS[level] };
}

function formatEntry(level: LogLevel, message: string, meta: LogMetadata): string {
  const { error } = meta;
  const { workflowType, activityType, workflowId } = meta as Record<string, string | undefined>;
  const who = activityType ?? workflowType;
  const prefix = who === undefined ? `Temporal worker ${level}` : `${who} ${workflowId ?? ''}`;
  const rest = Object.entries(meta).filter(([name]) => !SDK_ATTRIBUTES.has(name));
  const errors = error === undefined ? [] : [formatError(error)];
  return [prefix.trimEnd(), message, ...errors, ...rest.map(formatAttribute)].join(': ');
}

function formatAttribute([name, value]: [string, unknown]): string {
  return `${name} ${typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))}`;
}

/** The message and those of its causes: an activity's failure says why only there. */
function formatError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = firstPlace(error.stack ?? '');
  const message = `${error.message}${place === undefined ? '' : ` (${place})`}`;
  return error.cause === undefined ? message : `${message}: ${formatError(error.cause)}`;
}
