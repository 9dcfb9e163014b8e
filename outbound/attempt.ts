// One attempt to deliver an event, from the definition to what goes on record. Whatever goes wrong is
// in the record: nothing is thrown.

import type { AttemptRecord } from '../events/listener.ts';
import { toResult } from './answer.ts';
import { withDeadline } from './deadline.ts';
import { RequestError, MendableError } from './errors.ts';
import { toWords } from './failures.ts';
import type { Outbound } from './outbound.ts';
import { toMessage, toRecordedRequest, toRecordedResponse } from './record.ts';
import { Redaction } from './redaction.ts';
import { toRequest, type RequestParts } from './request.ts';
import type { Answer, OutboundRequest, SendResult } from './transport.ts';
import { toSentHeaders } from './webhook.ts';

/** Answers requests in place of their receivers, in tests. */
export interface Mocks {
  /** @returns `undefined` if the request is to be sent */
  find(request: Pick<OutboundRequest, 'url' | 'method'>): Answer | undefined;
}

export interface AttemptParts extends RequestParts {
  readonly reason: AttemptRecord['reason'];
  readonly mocks?: Mocks | undefined;
}

/** A request, if one could be made, and what came of it. */
interface Outcome {
  readonly request?: OutboundRequest;
  readonly result: SendResult;
}

/** Makes one attempt. It ends when the definition's `timeoutMs` are over, or the signal is aborted. */
export async function makeAttempt(outbound: Outbound, parts: AttemptParts): Promise<AttemptRecord> {
  const { definition, reason } = parts;
  const startedAt = new Date().toISOString();
  const started = performance.now();
  const { request, result } = await toOutcome(outbound, parts);
  const durationMs = Math.round(performance.now() - started);
  const redaction = new Redaction(outbound.secrets.values());
  const { answer, retryAfterMs = Number.NaN } = result;
  return {
    isSuccessful: result.isSuccessful,
    message: toMessage(redaction, result.message),
    startedAt,
    durationMs,
    reason,
    request: toRecordedRequest(redaction, { definition, request, sent: result.sent }),
    ...(answer && { response: toRecordedResponse(redaction, answer) }),
    ...(result.isGone === true && { isGone: true }),
    ...(retryAfterMs >= 0 && { retryAfterMs }),
    ...(result.isFinal === true && { isFinal: true }),
  };
}

async function toOutcome(outbound: Outbound, parts: AttemptParts): Promise<Outcome> {
  const { definition, mocks, signal } = parts;
  const { timeoutMs } = definition;
  const transport = outbound.transports.get(definition.type);
  let request: OutboundRequest | undefined;
  try {
    if (transport === undefined) {
      throw new MendableError(`the configuration has no transport "${definition.type}"`);
    }
    const made = (request = toRequest(outbound, parts));
    const mocked = mocks?.find(made);
    const result =
      mocked === undefined
        ? await withDeadline({ timeoutMs, signal }, async (stopped) =>
            transport.send({ ...made, signal: stopped }),
          )
        : { ...toResult(mocked), sent: { headers: toSentHeaders(made) } };
    return { request, result };
  } catch (error) {
    return { ...(request && { request }), result: toFailure(error, timeoutMs) };
  }
}

function toFailure(error: unknown, timeoutMs: number): SendResult {
  // Someone can still mend that, so there may be other attempts.
  if (error instanceof MendableError) return { isSuccessful: false, message: error.message };
  const isFinal = error instanceof RequestError;
  const message = isFinal ? error.message : (toWords(error, timeoutMs) ?? ownWords(error));
  return { isSuccessful: false, message, isFinal };
}

/** Those of a transport that is the user's own. */
function ownWords(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
