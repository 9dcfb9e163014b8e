// Writes the histories of real runs beside this file. One that is kept is never recorded again.

import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import type { Client } from '@temporalio/client';

import { recordHistory } from '../../testing/index.ts';

export interface Keeper {
  /** Keeps the latest run of a workflow, or the one that is named. */
  readonly keep: (name: string, workflowId: string, runId?: string) => Promise<void>;
  /** Keeps every run of a chain, the newest one last. */
  readonly keepRuns: (name: string, workflowId: string) => Promise<void>;
}

export function createKeeper({ workflow }: Pick<Client, 'workflow'>): Keeper {
  async function keep(name: string, workflowId: string, runId?: string): Promise<void> {
    const path = fileURLToPath(new URL(`${name}.json`, import.meta.url));
    if (existsSync(path)) return;
    const history = await recordHistory(workflow.getHandle(workflowId, runId));
    await writeFile(path, `${JSON.stringify(history)}\n`);
  }

  async function keepRuns(name: string, workflowId: string): Promise<void> {
    const runIds: string[] = [];
    let runId = (await workflow.getHandle(workflowId).describe()).runId;
    while (runId !== '') {
      runIds.unshift(runId);
      const [started] = (await workflow.getHandle(workflowId, runId).fetchHistory()).events ?? [];
      runId = started?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? '';
    }
    for (const [index, id] of runIds.entries()) await keep(`${name}-${index + 1}`, workflowId, id);
  }

  return { keep, keepRuns };
}
