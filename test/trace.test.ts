// Traces from a webhook to what it starts and wakes, with the SDK's interceptors for OpenTelemetry.

import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { ROOT_CONTEXT, type Context, type ContextManager } from '@opentelemetry/api';
import { Resource } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base';
import {
  makeWorkflowExporter,
  OpenTelemetryActivityInboundInterceptor,
} from '@temporalio/interceptors-opentelemetry/lib/worker/index.js';

import { spanContextOf, toTraceContext } from '../events/trace-context.ts';
import { startApp, startServer, until, type TestApp, type TestServer } from './harness.ts';
import { startedBy } from './observe.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const TRACEPARENT = `00-${TRACE}-${SPAN}-01`;

const isOf = (traceId: string) => (span: ReadableSpan) => span.spanContext().traceId === traceId;

/** What knows in Node which span is the active one, as OpenTelemetry's own for Node does. */
function createContextManager(): ContextManager {
  const storage = new AsyncLocalStorage<Context>();
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    // oxlint-disable-next-line max-params
    with: (context, run, self, ...args) => storage.run(context, () => run.apply(self, args)),
    bind: (_context, target) => target,
    enable: () => manager,
    disable: () => manager,
  };
  return manager;
}

const members = (count: number): string =>
  Array.from({ length: count }, (_, index) => `k${index}=v`).join();

describe('The trace context of a request', () => {
  const parents: ReadonlyArray<readonly [traceparent: string, isValid: boolean]> = [
    [TRACEPARENT, true],
    [`00-${TRACE}-${SPAN}-00`, true],
    [`cc-${TRACE}-${SPAN}-01`, true], // of a later version
    [`cc-${TRACE}-${SPAN}-01-what-comes`, true],
    [`00-${TRACE}-${SPAN}-01-what-comes`, false],
    [`cc-${TRACE}-${SPAN}-01what`, false],
    [`cc-${TRACE}-${SPAN}-01-${'x'.repeat(100)}`, false],
    [`ff-${TRACE}-${SPAN}-01`, false],
    [`00-${'0'.repeat(32)}-${SPAN}-01`, false],
    [`00-${TRACE}-${'0'.repeat(16)}-01`, false],
    [TRACEPARENT.toUpperCase(), false],
    [`${TRACEPARENT}, ${TRACEPARENT}`, false], // sent twice
    [` ${TRACEPARENT}`, false],
    ['', false],
  ];
  for (const [traceparent, isValid] of parents) {
    test(`is ${isValid ? '' : 'not '}told by traceparent ${JSON.stringify(traceparent)}`, () => {
      const expected = isValid ? { traceparent } : {};
      assert.deepEqual(toTraceContext({ traceparent }), expected);
    });
  }
  const states: ReadonlyArray<readonly [tracestate: string, isValid: boolean]> = [
    ['rojo=00f067aa0ba902b7,congo=t61rcWkgMzE', true],
    ['fw529a3039@dt=FfAAz, ,a=1', true],
    [members(32), true],
    [members(33), false],
    [`a=${'x'.repeat(256)}`, true],
    [`a=${'x'.repeat(257)}`, false],
    ['a=1,a=2', false],
    ['A=1', false],
    ['a', false],
    ['a=b=c', false],
    ['a=\u00e9', false],
    ['', false],
  ];
  for (const [tracestate, isValid] of states) {
    test(`has ${isValid ? '' : 'no '}tracestate ${JSON.stringify(tracestate).slice(0, 40)}`, () => {
      const expected = { traceparent: TRACEPARENT, ...(isValid && { tracestate }) };
      assert.deepEqual(toTraceContext({ traceparent: TRACEPARENT, tracestate }), expected);
    });
  }
  test('has no tracestate without a traceparent', () => {
    assert.deepEqual(toTraceContext({ tracestate: 'a=1' }), {});
  });
  test('is a span context of OpenTelemetry', () => {
    assert.deepEqual(spanContextOf({ traceparent: TRACEPARENT }), {
      traceId: TRACE,
      spanId: SPAN,
      traceFlags: 1,
      isRemote: true,
    });
    assert.equal(spanContextOf({}), undefined);
  });
});

describe('A trace', { timeout: 300_000 }, () => {
  const spans = new InMemorySpanExporter();
  const processor = new SimpleSpanProcessor(spans);
  const provider = new BasicTracerProvider({ spanProcessors: [processor] });
  let server: TestServer;
  let app: TestApp;

  before(async () => {
    // Its propagator is what reads and writes the SDK's header, here as in workflow code.
    provider.register({ contextManager: createContextManager() });
    server = await startServer();
    const modules = new URL('workflows/opentelemetry-interceptors.ts', import.meta.url);
    app = await startApp(server, {
      sources: ['orders', 'plain', 'waking'],
      triggers: ['orders', 'plain'].map((source) => ({
        name: `on-${source}`,
        source,
        filter: '',
        workflow: 'traced',
        ...(source === 'plain' && { workflowId: () => 'one' }),
      })),
      workflowsPath: fileURLToPath(new URL('workflows/traced.ts', import.meta.url)),
      otherInterceptorModules: [fileURLToPath(modules)],
      activities: { note: async (traceparent?: string) => traceparent ?? 'none' },
      workerOptions: {
        sinks: { exporter: makeWorkflowExporter(processor, new Resource({})) },
        interceptors: {
          activity: [
            (context) => ({ inbound: new OpenTelemetryActivityInboundInterceptor(context) }),
          ],
        },
      },
    });
  });
  after(async () => {
    await app.stop();
    await server.stop();
    await provider.shutdown();
  });

  const spanNamed = (name: string, isMeant: (span: ReadableSpan) => boolean) =>
    until(`there is a span ${name}`, () =>
      spans.getFinishedSpans().find((span) => span.name === name && isMeant(span)),
    );

  test('goes on from a webhook to the workflow that it starts, and to its activity', async () => {
    const headers = { traceparent: TRACEPARENT, tracestate: 'vendor=1' };
    const posted = await app.send('orders', { a: 1 }, { headers });
    const handle = startedBy(app, 'on-orders', posted);
    assert.equal(await handle.result(), TRACEPARENT, 'the event tells of it');
    const run = await spanNamed('RunWorkflow:traced', isOf(TRACE));
    assert.equal(run.parentSpanId, SPAN, 'the sender is the parent');
    assert.equal(run.spanContext().traceState?.serialize(), 'vendor=1');
    await spanNamed('StartActivity:note', isOf(TRACE));
    await spanNamed('RunActivity:note', isOf(TRACE));
  });

  test('goes on to a workflow that is fed', async () => {
    const traceId = '1'.repeat(32);
    const traceparent = `00-${traceId}-${SPAN}-01`;
    await app.send('plain', {}, { headers: { traceparent } });
    const handle = app.client.workflow.getHandle('on-plain/one');
    assert.equal(await handle.result(), traceparent);
    const run = await spanNamed('RunWorkflow:traced', isOf(traceId));
    assert.equal(run.parentSpanId, SPAN);
  });

  test('is linked by a workflow that an event wakes, and its activity is in it', async () => {
    const traceId = '2'.repeat(32);
    const traceparent = `00-${traceId}-${SPAN}-01`;
    const handle = await app.start('woken', 'waking');
    await app.waitForSubscriptions(handle, { source: 'waking' });
    await app.send('waking', {}, { headers: { traceparent } });
    assert.equal(await handle.result(), traceparent);
    const run = await spanNamed('RunWorkflow:woken', () => true);
    assert.notEqual(run.spanContext().traceId, traceId, 'it has a trace of its own');
    const linked = run.links.map(({ context: { traceId: id, spanId } }) => [id, spanId]);
    assert.deepEqual(linked, [[traceId, SPAN]]);
    const activity = await spanNamed('RunActivity:note', isOf(traceId));
    const start = await spanNamed('StartActivity:note', isOf(traceId));
    assert.equal(activity.parentSpanId, start.spanContext().spanId);
    assert.equal(start.parentSpanId, SPAN);
  });

  test('is no part of what filters see, and is not made up', async () => {
    const posted = await app.send('orders', {}, { headers: { traceparent: 'nonsense' } });
    assert.equal(await startedBy(app, 'on-orders', posted).result(), 'none');
  });
});
