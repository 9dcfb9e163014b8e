/** Something outside is not as it must be, and the message says what and how to mend it. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** Errors that say in one sentence what whoever started this has to do. */
const EXPECTED = new Set([
  'ConfigError',
  'DeployError',
  'ListenerSilentError',
  'NoTemporalError',
  'PortTakenError',
  'ServiceError',
  'StartError',
  'UnknownSourceError',
]);

/** What to print of an error: its message if that is all there is to say, else where it comes from. */
export function toSentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return EXPECTED.has(error.name) ? error.message : (error.stack ?? error.message);
}
