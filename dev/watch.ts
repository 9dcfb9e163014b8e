// Tells of changes in source files. One watcher a folder: Node 20's recursive one loses files
// that editors replace, and goes into every folder.

import { watch, type FSWatcher } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** Changes within this time of each other are told together, in milliseconds. */
const TOGETHER_MS = 200;

const SOURCE_FILE = /\.(?:[cm]?[jt]sx?|json)$/;

/** Nobody writes the source files in these. A folder that is named itself is watched all the same. */
const SKIPPED_FOLDER = /^(?:\.|(?:node_modules|dist)$)/;

/** Watches the source files of folders, and tells which have changed. */
export class Watch {
  readonly #tell: (changed: readonly string[]) => void;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #changed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (changed: readonly string[]) => void) {
    this.#tell = tell;
  }

  /** Watches a folder, too, with all that is below it. One that is not there is passed over. */
  async add(folder: string): Promise<void> {
    await this.#addFolder(folder);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Gives the source files that are there already. */
  async #addFolder(folder: string): Promise<readonly string[]> {
    this.#watch(folder, (name) => {
      if (SOURCE_FILE.test(name)) this.#note(join(folder, name));
      else if (!SKIPPED_FOLDER.test(name)) void this.#addChanged(join(folder, name));
    });
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    const files = entries.filter((entry) => entry.isFile() && SOURCE_FILE.test(entry.name));
    const inner = entries.filter(
      (entry) => entry.isDirectory() && !SKIPPED_FOLDER.test(entry.name),
    );
    const below = await Promise.all(inner.map(({ name }) => this.#addFolder(join(folder, name))));
    return [...files.map(({ name }) => join(folder, name)), ...below.flat()];
  }

  /** It may be a folder that is new, or that was replaced: its files came before it was watched. */
  async #addChanged(path: string): Promise<void> {
    const found = await stat(path).catch(() => undefined);
    if (!found?.isDirectory()) return;
    for (const file of await this.#addFolder(path)) this.#note(file);
  }

  #watch(folder: string, onChange: (name: string) => void): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
    try {
      const watcher = watch(folder, (_event, name) => onChange(name ?? ''));
      // The folder has gone, and what was in it has been told already.
      watcher.on('error', () => watcher.close());
      this.#watchers.set(folder, watcher);
    } catch {
      // Not there: it is passed over.
    }
  }

  #note(file: string): void {
    this.#changed.add(relative(process.cwd(), file));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const changed = [...this.#changed];
      this.#changed.clear();
      this.#tell(changed);
    }, TOGETHER_MS);
  }
}
