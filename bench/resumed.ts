import type { Wake } from './wake.ts';

/** A message of the worker's process to the bench's. */
export interface Resumed {
  readonly type: 'resumed';
  readonly wake: Wake;
}

/** The activity with which a workflow says that its code goes on after the wait. */
export async function resumed(wake: Wake): Promise<void> {
  process.send?.({ type: 'resumed', wake } satisfies Resumed);
}
