// What stands before the code of the workflows of sources.

import type { WorkflowInterceptors } from '@temporalio/workflow';

import { TaskGuard } from './task-guard.ts';

export function interceptors(): WorkflowInterceptors {
  return { internals: [new TaskGuard()] };
}
