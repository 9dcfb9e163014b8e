type Environment = Readonly<Record<string, string | undefined>>;

export interface FindTemporalOptions {
  /** @default process.env */
  readonly env?: Environment;
  /**
   * Takes a line of progress, when Temporal has to be obtained.
   *
   * @default writes to the standard error output
   */
  readonly print?: (line: string) => void;
  /**
   * Downloads the executable into a folder, and gives its path, or `undefined` if it can not.
   *
   * @default the Temporal SDK's own download
   */
  readonly download?: (into: {
    readonly directory: string;
    readonly print: (line: string) => void;
  }) => Promise<string | undefined>;
}

/** The folder in which this project keeps a `temporal` of its own, for all clones. */
export function cacheDirectory(env?: Environment): string;

/** The `temporal` on the PATH, else the one in the cache folder, else `undefined`. */
export function locateTemporal(env?: Environment): string | undefined;

/**
 * The path of a `temporal` executable. If there is none it is obtained, which can take minutes.
 *
 * @throws Error with one sentence that says what to install
 */
export function findTemporal(options?: FindTemporalOptions): Promise<string>;
