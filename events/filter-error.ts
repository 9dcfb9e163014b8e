/** A place in a filter's text. Lines and columns count from one. */
export interface FilterPosition {
  readonly line: number;
  readonly column: number;
}

/** What is wrong with a filter, where, and what was probably meant. */
export interface Complaint {
  readonly problem: string;
  /** Index into the text. */
  readonly at?: number | undefined;
  readonly hint?: string | undefined;
}

/** A filter that can never be evaluated: whoever wrote it must fix it. */
export class FilterError extends Error {
  override readonly name: string = 'FilterError';
  readonly position?: FilterPosition;
  /** What was probably meant; the message says it, too. */
  readonly suggestion?: string;

  constructor(message: string, where: { position?: FilterPosition; suggestion?: string } = {}) {
    super(message);
    Object.assign(this, where);
  }
}

/** A value of the event, or of the filter, that a function does not take. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
}

/** Words a complaint about a filter, for its author. */
export function toFilterError(text: string, complaint: Complaint): FilterError {
  const { problem, at, hint } = complaint;
  const advice = hint === undefined ? '' : `; ${hint}`;
  const suggestion = hint === undefined ? {} : { suggestion: hint };
  if (at === undefined) return new FilterError(`filter: ${problem}${advice}`, suggestion);
  const position = positionOf(text, at);
  const place = `line ${position.line}, column ${position.column}`;
  return new FilterError(`filter at ${place}: ${problem}${advice}`, { position, ...suggestion });
}

/** Where an index into a text is. */
export function positionOf(text: string, at: number): FilterPosition {
  const before = text.slice(0, at).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
