import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Worker, type WorkflowBundle } from '@temporalio/worker';

import { SOURCE_WORKFLOW_TYPE, STORED_EVENT_WORKFLOW_TYPE } from '../workflows/messages.ts';
import { bundleSourceWorkflows, bundleWorkflows } from '../worker/bundle.ts';

const HISTORIES = fileURLToPath(new URL('histories', import.meta.url));

interface RecordedHistory {
  readonly events: ReadonlyArray<{
    readonly workflowExecutionStartedEventAttributes?: {
      readonly workflowType: { readonly name: string };
    };
  }>;
}

const names = readdirSync(HISTORIES).filter((name) => name.endsWith('.json'));
const bundles = {
  library: bundleSourceWorkflows(),
  user: bundleWorkflows(fileURLToPath(new URL('workflows/replayed.ts', import.meta.url))),
};

test('there are histories of the workflows of the library and of its users', () => {
  const types = new Set(names.map((name) => typeOf(read(name))));
  assert.ok(types.has(SOURCE_WORKFLOW_TYPE) && types.has(STORED_EVENT_WORKFLOW_TYPE));
  assert.ok(types.size > 2);
});

for (const name of names) {
  test(`the recorded history ${name} replays`, async () => {
    const history = read(name);
    const workflowBundle = await bundleFor(history);
    await Worker.runReplayHistory({ workflowBundle }, history);
  });
}

test('a history that the code does not fit does not replay', async () => {
  const name = names.find((candidate) => candidate.startsWith('listener'));
  assert.ok(name);
  const text = JSON.stringify(read(name)).replaceAll('nexteventUnregister', 'somethingElse');
  const changed = JSON.parse(text) as RecordedHistory;
  const workflowBundle = await bundleFor(changed);
  await assert.rejects(Worker.runReplayHistory({ workflowBundle }, changed));
});

function read(name: string): RecordedHistory {
  return JSON.parse(readFileSync(`${HISTORIES}/${name}`, 'utf8')) as RecordedHistory;
}

function typeOf({ events }: RecordedHistory): string {
  return events[0]?.workflowExecutionStartedEventAttributes?.workflowType.name ?? '';
}

function bundleFor(history: RecordedHistory): Promise<WorkflowBundle> {
  return typeOf(history).startsWith('nextevent') ? bundles.library : bundles.user;
}
