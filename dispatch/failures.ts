// What a failed call to Temporal means for the caller, and how it is tried again.
// Connections here have no retry of the SDK's: that one starts at a second and more.

import { isGrpcServiceError, WorkflowNotFoundError } from '@temporalio/client';
import { getGrpcStatusDetails } from '@temporalio/client/lib/helpers.js';
import proto from '@temporalio/proto';

import { UnavailableError } from './errors.ts';

/**
 * - `gone`: there is no such running workflow
 * - `refused`: the workflow will never take it, for example because it has had too many signals
 * - `overloaded`: the server has more to do than it can
 * - `retry`: busy, away or unknown; the call may even have succeeded
 */
export type FailureKind = 'gone' | 'refused' | 'overloaded' | 'retry';

const GRPC = { INVALID_ARGUMENT: 3, NOT_FOUND: 5, RESOURCE_EXHAUSTED: 8 };

const EXHAUSTED_TYPE = 'temporal.api.errordetails.v1.ResourceExhaustedFailure';
const NO_NAMESPACE_TYPE = 'temporal.api.errordetails.v1.NamespaceNotFoundFailure';
const { RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW: BUSY_WORKFLOW } =
  proto.temporal.api.enums.v1.ResourceExhaustedCause;

export function toFailureKind(error: unknown): FailureKind {
  if (error instanceof WorkflowNotFoundError) return 'gone';
  const cause = serviceErrorOf(error);
  if (cause === undefined) return 'retry';
  const code: number = cause.code;
  switch (code) {
    case GRPC.NOT_FOUND:
      return isNamespace(cause) ? 'retry' : 'gone';
    case GRPC.INVALID_ARGUMENT:
      return 'refused';
    case GRPC.RESOURCE_EXHAUSTED:
      return isBusyWorkflow(cause) ? 'retry' : 'overloaded';
    default:
      return 'retry';
  }
}

/** What a call failed with, or the error that the SDK has made of that. */
function serviceErrorOf(error: unknown) {
  const cause = error instanceof Error && !isGrpcServiceError(error) ? error.cause : error;
  return isGrpcServiceError(cause) ? cause : undefined;
}

/** Without its namespace nothing is known of a workflow, least of all that there is none. */
function isNamespace(error: Parameters<typeof getGrpcStatusDetails>[0]): boolean {
  const details = getGrpcStatusDetails(error) ?? [];
  return details.some(({ type_url: type }) => type?.endsWith(NO_NAMESPACE_TYPE));
}

/** Overload and a busy workflow have the same status; the details tell them apart. */
function isBusyWorkflow(error: Parameters<typeof getGrpcStatusDetails>[0]): boolean {
  for (const { type_url: type, value } of getGrpcStatusDetails(error) ?? []) {
    if (!type?.endsWith(EXHAUSTED_TYPE) || !value) continue;
    const failure = proto.temporal.api.errordetails.v1.ResourceExhaustedFailure.decode(value);
    return failure.cause === BUSY_WORKFLOW;
  }
  return false;
}

const RETRY_MS_MIN = 20;
const RETRY_MS_MAX = 500;

/** How long an overloaded server is left alone by those that do not give up. */
const OVERLOADED_MS_MIN = 1_000;

/**
 * Calls until it succeeds, `forMs` have passed, or the failure is one that waiting can't cure. A
 * server that is overloaded is asked again only by those that wait for ever.
 */
export async function retrying<T>(forMs: number, call: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + forMs;
  for (let waitMs = RETRY_MS_MIN; ; waitMs = Math.min(2 * waitMs, RETRY_MS_MAX)) {
    try {
      return await call();
    } catch (error) {
      const kind = toFailureKind(error);
      const isOverloaded = kind === 'overloaded';
      const isFinal = kind === 'gone' || kind === 'refused' || (isOverloaded && forMs < Infinity);
      if (isFinal || performance.now() + waitMs > deadline) throw error;
      await sleep(isOverloaded ? OVERLOADED_MS_MIN + Math.random() * OVERLOADED_MS_MIN : waitMs);
    }
  }
}

/** How often it is looked for something before it is believed that there is none. */
const GONE_LOOKS = 5;
const GONE_LOOK_MS = 1_000;

/** What the call gives; `undefined` if there is none, also when it is looked for again. */
export async function unlessGone<T>(call: () => Promise<T>): Promise<T | undefined> {
  for (let look = 1; ; look += 1) {
    try {
      return await call();
    } catch (error) {
      if (toFailureKind(error) !== 'gone') throw error;
    }
    if (look === GONE_LOOKS) return undefined;
    await sleep(GONE_LOOK_MS);
  }
}

/** Whether it is a call to Temporal that failed, and that another attempt may cure. */
export function isTemporary(error: unknown): boolean {
  if (serviceErrorOf(error) === undefined) return false;
  const kind = toFailureKind(error);
  return kind === 'retry' || kind === 'overloaded';
}

/** What the sender is told of a failure that another attempt may cure. */
export function toUnavailable(error: unknown): Error {
  if (error instanceof UnavailableError) return error;
  const isOverload = toFailureKind(error) === 'overloaded';
  const message = isOverload ? 'Temporal is overloaded' : 'Temporal can not be reached';
  return new UnavailableError(message, isOverload ? 2 : 1, { cause: error });
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
