/** What wakes a workflow: the body of the POST, or the argument of the signal. */
export interface Wake {
  /** What kind of call it was, and of which group of workflows. */
  readonly by: string;
  readonly workflow: number;
  readonly round: number;
}
