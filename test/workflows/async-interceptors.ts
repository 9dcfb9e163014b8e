import type { WorkflowInterceptors } from '@temporalio/workflow';

/** Interceptors as a user writes them, who need not know that the library has its own. */
export function interceptors(): WorkflowInterceptors {
  return {
    inbound: [
      {
        async execute(input, next) {
          await Promise.resolve();
          return next(input);
        },
        async handleSignal(input, next) {
          for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
          await next(input);
        },
      },
    ],
    outbound: [
      {
        async continueAsNew(input, next) {
          await Promise.resolve();
          return next({ ...input, headers: { ...input.headers } });
        },
        async scheduleLocalActivity(input, next) {
          await Promise.resolve();
          return next(input);
        },
      },
    ],
  };
}
