// What is deployed first.

import { outlive } from './scenarios.ts';

export {
  askWhenGiven,
  holdUntilTold,
  lookWhenTold,
  outliveSource,
  waitUntilEnd,
} from './scenarios.ts';
export { collect, returnEvent } from './collecting.ts';

export function outliveDeployment(sources: readonly string[]): Promise<string[]> {
  return outlive('old', sources);
}
