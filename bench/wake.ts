/** What wakes a workflow: the body of the POST, or the argument of the signal. */
export interface Wake {
  readonly by: 'event' | 'signal';
  readonly workflow: number;
  readonly round: number;
}
