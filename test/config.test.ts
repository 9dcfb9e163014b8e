import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, describe, test } from 'node:test';

import { resolveConfig } from '../config/config.ts';
import { AmbiguousSourceError, ConfigError, UnknownSourceError } from '../config/errors.ts';
import { loadConfig } from '../config/load.ts';
import { resolveSource } from '../config/subscribable.ts';
import type { Event } from '../events/event.ts';
import { FilterError } from '../events/filter.ts';
import { published, webhook, type WebhookOptions } from '../nextevent.ts';

const charge = () => 1;
const source = webhook({ verify: 'none' });
const trigger = { name: 'on-order', source: 'orders', workflow: 'approval' };
const valid = { workflowsPath: './workflows/index.ts', sources: { orders: source } };

describe('a configuration', () => {
  test('has defaults, and a path that starts from its file', () => {
    const config = resolveConfig({ ...valid, triggers: [trigger] }, '/project');
    assert.deepEqual(config, {
      workflowsPath: '/project/workflows/index.ts',
      activities: {},
      taskQueue: 'nextevent',
      sources: new Map([['orders', source]]),
      triggers: [{ ...trigger, filter: '', taskQueue: 'nextevent' }],
    });
  });

  test('keeps what it says', () => {
    const config = resolveConfig(
      {
        ...valid,
        workflowsPath: '/elsewhere/index.ts',
        activities: { charge },
        taskQueue: 'shop',
        triggers: [
          { ...trigger, filter: "event_type == 'post'" },
          { ...trigger, name: 'other', taskQueue: 'slow' },
        ],
      },
      '/project',
    );
    assert.equal(config.workflowsPath, '/elsewhere/index.ts');
    assert.equal(config.activities.charge, charge);
    assert.deepEqual(
      config.triggers.map(({ filter, taskQueue }) => [filter, taskQueue]),
      [
        ["event_type == 'post'", 'shop'],
        ['', 'slow'],
      ],
    );
  });

  const long = 'a'.repeat(101);
  const refusals: Array<[what: string, options: unknown, message: RegExp]> = [
    ['that is no object', 1, /the configuration is missing or not an object/],
    [
      'with an unknown option',
      { ...valid, trigers: [] },
      /no option "trigers", only workflowsPath/,
    ],
    ['without workflowsPath', { sources: {} }, /workflowsPath is missing or not text/],
    ['with an empty task queue', { ...valid, taskQueue: ' ' }, /taskQueue is empty/],
    ['without sources', { workflowsPath: 'w' }, /sources is missing/],
    ['with a source in capitals', sources({ Orders: source }), /source name "Orders" must be/],
    ['with a source with a slash', sources({ 'a/b': source }), /source name "a\/b" must be/],
    ['with a source that begins with a digit', sources({ '1a': source }), /source name "1a"/],
    ['with a source without a name', sources({ '': source }), /source name ""/],
    ['with a source with a long name', sources({ [long]: source }), /101 characters, at most 100/],
    ['with a source that is none', sources({ orders: {} }), /source "orders" is not a source/],
    ['with an activity that is none', { ...valid, activities: { a: 1 } }, /"a" is not a function/],
    ['with triggers in a map', { ...valid, triggers: {} }, /triggers is not a list/],
    ['with two triggers of a name', triggers({}, {}), /two triggers are called "on-order"/],
    ['with a trigger without a name', triggers({ name: '' }), /name of a trigger is empty/],
    ['with a trigger with a slash', triggers({ name: 'a/b' }), /trigger "a\/b" has a slash/],
    [
      'with a trigger of our name',
      triggers({ name: 'nextevent' }),
      /can not be called "nextevent"/,
    ],
    ['with a trigger with a long name', triggers({ name: long }), /101 characters, at most 100/],
    [
      'with a trigger for no source',
      triggers({ source: 'order' }),
      /"on-order" is for source "order"/,
    ],
    [
      'with a trigger without a workflow',
      triggers({ workflow: '' }),
      /workflow of trigger "on-order"/,
    ],
    [
      'with a filter that is no text',
      triggers({ filter: 1 }),
      /filter of "on-order" is .*not text/,
    ],
    [
      'with a filter that does not parse',
      triggers({ filter: 'data.a ==' }),
      /^trigger "on-order": filter at line 1, column 10: unexpected token: the end of the filter$/,
    ],
    [
      'with an unknown option of a trigger',
      triggers({ workflowID: () => 'a' }),
      /there is no option "workflowID" of trigger "on-order", only name, source/,
    ],
    [
      'with a workflowId that is no function',
      triggers({ workflowId: 'customer' }),
      /workflowId of trigger "on-order" is not a function/,
    ],
    [
      'with an answer to whoever publishes',
      {
        ...valid,
        sources: { orders: published() },
        triggers: [{ ...trigger, respond: { timeoutMs: 1_000 } }],
      },
      /"on-order" has respond, and source "orders" takes published events: respond is for webhooks/,
    ],
    [
      'with an unknown function',
      triggers({ filter: 'foo(data)' }),
      /^trigger "on-order": filter at line 1, column 1: unknown function foo$/,
    ],
    [
      'with a misspelt method',
      triggers({ filter: "event_type == 'post' &&\n  data.a.startWith('x')" }),
      /^trigger "on-order": filter at line 2, column 10: unknown method startWith; did you mean startsWith\?$/,
    ],
    [
      'with a misspelt attribute',
      triggers({ filter: "event_typ == 'post'" }),
      /^trigger "on-order": filter at line 1, column 1: unknown variable: event_typ; did you mean event_type\?$/,
    ],
  ];
  for (const [what, options, message] of refusals) {
    test(`${what} is refused`, () => {
      assert.throws(() => resolveConfig(options, '/project'), isConfigError(message));
    });
  }

  test('keeps what names the workflow of an event, as a method of its trigger', () => {
    const options = triggers({
      workflowId(this: { name: string }, event: Event) {
        return `${this.name} ${event.id}`;
      },
    });
    const event = { id: 'e1', source: 'orders', type: 'post', time: '', data: {} };
    const [resolved] = resolveConfig(options, '/project').triggers;
    assert.equal(resolved?.workflowId?.(event), 'on-order e1');
  });

  test('keeps the filter error as the cause', () => {
    assert.throws(
      () => resolveConfig(triggers({ filter: '(' }), '/project'),
      (error: Error) => error.cause instanceof FilterError,
    );
  });
});

describe('webhook options', () => {
  const refusals: Array<[options: unknown, message: RegExp]> = [
    [{}, /verify is undefined/],
    [{ verify: 'none', eventId: { header: 'x event' } }, /eventId.header is "x event"/],
    [{ verify: 'none', eventId: { json: 'data..id' } }, /eventId.json is "data..id"/],
    [{ verify: 'none', eventId: { json: '' } }, /eventId.json is ""/],
  ];
  for (const [options, message] of refusals) {
    test(`${JSON.stringify(options)} is refused`, () => {
      assert.throws(() => webhook(options as WebhookOptions), isConfigError(message));
    });
  }
});

describe('a name given to subscribe', () => {
  const config = resolveConfig(
    {
      ...valid,
      sources: { orders: source, payments: source },
      triggers: [trigger, { ...trigger, name: 'payments' }],
    },
    '/project',
  );
  test('is the name of a source', () => assert.equal(resolveSource(config, 'orders'), 'orders'));
  test('or of a trigger, for its source', () => {
    assert.equal(resolveSource(config, 'on-order'), 'orders');
  });
  test('of both is ambiguous', () => {
    assert.throws(
      () => resolveSource(config, 'payments'),
      (error: Error) =>
        error instanceof AmbiguousSourceError &&
        error.message.startsWith('ambiguous source "payments"'),
    );
  });
  for (const name of ['order', '', '__proto__']) {
    test(`that is not there, "${name}", is answered with those that are`, () => {
      assert.throws(
        () => resolveSource(config, name),
        (error: Error) =>
          error instanceof UnknownSourceError &&
          error.message ===
            `source "${name}" not found; there are "orders", "payments", "on-order"`,
      );
    });
  }
});

describe('a configuration file', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'nextevent-config-'));
  after(() => rm(directory, { recursive: true }));

  test('is loaded, its workflows beside it', async () => {
    const root = new URL('../nextevent.ts', import.meta.url).href;
    const file = await write(
      'good.ts',
      `import { defineConfig, webhook } from '${root}';
       export default defineConfig({ workflowsPath: './w.ts', sources: { hello: webhook({ verify: 'none' }) } });`,
    );
    const config = await loadConfig(file);
    assert.equal(config.workflowsPath, join(directory, 'w.ts'));
    assert.deepEqual([...config.sources.keys()], ['hello']);
  });

  test('is the one that the environment names', async () => {
    process.env.NEXTEVENT_CONFIG = await write(
      'named.mjs',
      `export default { workflowsPath: './w.ts', sources: {}, taskQueue: 'named' };`,
    );
    const { taskQueue } = await loadConfig().finally(() => delete process.env.NEXTEVENT_CONFIG);
    assert.equal(taskQueue, 'named');
  });

  test('that was compiled means the workflows that were compiled with it', async () => {
    await write('both.ts', '');
    await write('both.js', '');
    const pathFrom = async (name: string, content: string): Promise<string> =>
      basename((await loadConfig(await write(name, content))).workflowsPath);
    assert.equal(await pathFrom('a.mjs', `export default ${optionsFor('both')};`), 'both.js');
    assert.equal(await pathFrom('b.mjs', `export default ${optionsFor('one')};`), 'one.ts');
    assert.equal(await pathFrom('a.ts', `export default ${optionsFor('both')};`), 'both.ts');
    const commonJs = `exports.__esModule = true; exports.default = ${optionsFor('both')};`;
    assert.equal(await pathFrom('c.cjs', commonJs), 'both.js');
  });

  const refusals: Array<[name: string, content: string, message: RegExp]> = [
    ['empty.ts', 'export const a = 1;', /^empty.ts has no default export/],
    ['broken.ts', 'export default {,}', /^broken.ts has a syntax error: [^\n]*1:16[^\n]*$/],
    ['broken.mjs', 'export default {,}', /^broken.mjs has a syntax error: [^\n]*$/],
    ['throws.ts', `throw new Error('boom\\nbang');`, /^throws.ts can not be loaded: boom$/],
    [
      'missing.ts',
      `import './nowhere.ts'; export default {};`,
      /^missing.ts can not [^\n]*nowhere/,
    ],
    ['wrong.ts', 'export default { sources: {} };', /^wrong.ts: workflowsPath is missing/],
  ];
  for (const [name, content, message] of refusals) {
    test(`${name} is refused in one sentence`, async () => {
      await assert.rejects(loadConfig(await write(name, content)), isConfigError(message));
    });
  }

  test('that is not there is refused', async () => {
    const file = join(directory, 'absent.ts');
    await assert.rejects(loadConfig(file), isConfigError(/no configuration file .*absent.ts$/));
  });

  async function write(name: string, content: string): Promise<string> {
    await writeFile(join(directory, name), content);
    return join(directory, name);
  }
});

function optionsFor(workflows: string): string {
  return `{ workflowsPath: './${workflows}.ts', sources: {} }`;
}

function sources(given: Record<string, unknown>): unknown {
  return { ...valid, sources: given };
}

function triggers(...changes: ReadonlyArray<Record<string, unknown>>): unknown {
  return { ...valid, triggers: changes.map((change) => ({ ...trigger, ...change })) };
}

function isConfigError(message: RegExp) {
  return (error: Error) => {
    assert.match(error.message, message);
    return error instanceof ConfigError;
  };
}
