// Workflows that are traced. A module of its own, because OpenTelemetry is bundled with it.

import { context, trace } from '@opentelemetry/api';
import { proxyActivities } from '@temporalio/workflow';
import { nextEvent, spanContextOf, subscribe, unsubscribe, type Event } from 'nextevent/workflow';

interface TracedActivities {
  note(traceparent: string | undefined): Promise<string>;
}

const { note } = proxyActivities<TracedActivities>({ startToCloseTimeout: '1 minute' });

/** Hands what it knows of the trace to an activity. */
export async function traced(event: Event): Promise<string> {
  return note(event.traceparent);
}

/** Links the span of an event that wakes it, and does what is to be done in that event's trace. */
export async function woken(source: string): Promise<string> {
  const subscription = await subscribe(source);
  const event = await nextEvent(subscription);
  await unsubscribe(subscription);
  const sender = spanContextOf(event);
  if (sender === undefined) return note(undefined);
  trace.getActiveSpan()?.addLink({ context: sender });
  return context.with(trace.setSpanContext(context.active(), sender), () =>
    note(event.traceparent),
  );
}
