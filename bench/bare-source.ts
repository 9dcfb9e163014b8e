import { defineSignal } from '@temporalio/workflow';

/** What a source workflow is told of a subscription. */
export interface BareRegistration {
  readonly id: string;
  readonly filter: string;
  readonly workflowId: string;
  readonly firstRunId: string;
}

export const bareRegisterSignal = defineSignal<[BareRegistration]>('register');
