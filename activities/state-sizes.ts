import type { SourceClient } from '../dispatch/source-client.ts';

/** How much the state of a source may take, in bytes: the server takes up to 2 MiB. */
export const STATE_BYTES_MAX = 1.5 * 1024 * 1024;

/** How old a reading may be, beside what this process has added since. */
const READING_MS_MAX = 1_000;

interface Size {
  bytes: number;
  readonly readAt: number;
}

/** About how large the state of each source is, read once a second at the most. */
export class StateSizes {
  readonly #client: SourceClient;
  readonly #sizes = new Map<string, Promise<Size>>();

  constructor(client: SourceClient) {
    this.#client = client;
  }

  /** Counts what is about to be added, and returns the size with it. */
  async add(source: string, bytes: number): Promise<number> {
    let reading = this.#sizes.get(source);
    const known = await reading?.catch(() => undefined);
    if (known === undefined || performance.now() - known.readAt > READING_MS_MAX) {
      // Whoever came first while this one waited has begun the next reading.
      if (this.#sizes.get(source) === reading) this.#sizes.set(source, this.#read(source));
      reading = this.#sizes.get(source);
    }
    const size = (await reading) ?? { bytes: 0, readAt: 0 };
    size.bytes += bytes;
    return size.bytes;
  }

  async #read(source: string): Promise<Size> {
    const readAt = performance.now();
    const description = await this.#client.describe(source);
    if (description?.isOpen && !description.hasRoom) {
      throw new Error(`source "${source}" takes no more signals until it has a worker`);
    }
    return { bytes: description?.memo?.stateBytes ?? 0, readAt };
  }
}
