// A workflow that an event starts goes on with the event's trace. The trace context is in the
// header from which the SDK's interceptors for OpenTelemetry read it, and is nothing to others.

import type { WorkflowClientInterceptor } from '@temporalio/client';
import { defaultPayloadConverter, type Headers } from '@temporalio/common';

import { isEvent } from '../events/event.ts';
import { toTraceContext } from '../events/trace-context.ts';

/** `TRACE_HEADER` of `@temporalio/interceptors-opentelemetry`, which is no dependency. */
const TRACE_HEADER = '_tracer-data';

/** For clients that start the workflows of triggers: their first argument is the event. */
export const continueTrace: WorkflowClientInterceptor = {
  startWithDetails(input, next) {
    return next({ ...input, headers: withTrace(input.headers, input.options.args) });
  },
  signalWithStart(input, next) {
    return next({ ...input, headers: withTrace(input.headers, input.options.args) });
  },
};

function withTrace(headers: Headers, [event]: readonly unknown[]): Headers {
  if (!isEvent(event)) return headers;
  const context = toTraceContext({ ...event });
  if (context.traceparent === undefined) return headers;
  return { ...headers, [TRACE_HEADER]: defaultPayloadConverter.toPayload(context) };
}
