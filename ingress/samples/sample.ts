// What a provider would send, made up: short, and in its documented shape.

/** What is new in each request. */
export interface Fresh {
  /** Goes where the provider puts the id of an event. */
  readonly id: string;
  readonly at: Date;
}

/** What a kind of source can be sent. */
export interface Samples {
  /** The headers that say which event a body is, where bodies do not. */
  headers(type: string, fresh: Fresh): Readonly<Record<string, string>>;
  /** By name: a type of event, and what was done after a dot. */
  readonly bodies: Readonly<Record<string, (fresh: Fresh) => unknown>>;
}

/** For providers whose bodies say everything. */
export const NO_HEADERS: Samples['headers'] = () => ({});

/** The fields of a form, as text. */
export function toForm(fields: Readonly<Record<string, string>>): string {
  return new URLSearchParams(fields).toString();
}

/** The time as providers write it. */
export function toSeconds(at: Date): number {
  return Math.floor(at.getTime() / 1_000);
}
