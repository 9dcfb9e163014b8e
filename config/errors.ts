/** The configuration is wrong: whoever wrote it mends it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** No source and no trigger has this name. */
export class UnknownSourceError extends Error {
  override readonly name = 'UnknownSourceError';
}

/** The name is a source's and also a trigger's. */
export class AmbiguousSourceError extends Error {
  override readonly name = 'AmbiguousSourceError';
}
