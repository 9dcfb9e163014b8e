// How much several processes send to a workflow that has no worker. The server only counts.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Client } from '@temporalio/client';

import { HistoryGuard } from '../dispatch/history-guard.ts';

const MIB = 1024 * 1024;

/** At so many bytes of history the server ends a workflow. */
const SERVER_BYTES_MAX = 50 * MIB;

const PROCESSES = 8;

for (const eventBytes of [MIB / 64, MIB / 2, 0.99 * MIB]) {
  test(`${PROCESSES} processes send a workflow no more than it survives, ${eventBytes} bytes at once`, async () => {
    let historySizeBytes = 4.5 * MIB;
    const client = {
      options: { namespace: 'default' },
      connection: {
        withDeadline: (_: number, call: () => unknown) => call(),
        workflowService: {
          describeWorkflowExecution: async () => ({ workflowExecutionInfo: { historySizeBytes } }),
        },
      },
    } as unknown as Client;
    const guards = Array.from({ length: PROCESSES }, () => new HistoryGuard(client));
    let refused = 0;
    while (refused < 100 * PROCESSES) {
      for (const guard of guards) {
        if (await guard.isFull('workflow', eventBytes)) refused += 1;
        else historySizeBytes += eventBytes;
      }
      assert.ok(historySizeBytes < SERVER_BYTES_MAX, `${historySizeBytes} bytes`);
    }
    assert.ok(historySizeBytes > 0.8 * SERVER_BYTES_MAX, `only ${historySizeBytes} bytes`);
  });
}
