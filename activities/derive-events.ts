import type { ActivityInterceptorsFactory } from '@temporalio/worker';

import { deriveArgument } from '../events/webhook-body.ts';

/** Gives activities the events among their arguments with the body's four readings. */
export const deriveEvents: ActivityInterceptorsFactory = () => ({
  inbound: {
    execute(input, next) {
      return next({ ...input, args: input.args.map(deriveArgument) });
    },
  },
});
