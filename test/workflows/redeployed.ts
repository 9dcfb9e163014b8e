// What takes its place, while workflows wait.

import { outlive } from './scenarios.ts';

export { collect, holdUntilTold, outliveSource } from './deployed.ts';

export function outliveDeployment(sources: readonly string[]): Promise<string[]> {
  return outlive('new', sources);
}
