// Tells of changes in source files. One watcher a folder: Node 20's recursive one loses files
// that editors replace.

import { watch, type FSWatcher } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';

/** Changes within this time of each other are told together, in milliseconds. */
const TOGETHER_MS = 200;

const SOURCE_FILE = /\.(?:[cm]?[jt]sx?|json)$/;
const SKIPPED_FOLDER = /^(?:\.|node_modules$)/;

/** What to watch. */
export interface Watched {
  readonly files: readonly string[];
  /** With all that is below them. */
  readonly folders: readonly string[];
}

/** Watches files, and tells which have changed. */
export class Watch {
  readonly #tell: (changed: readonly string[]) => void;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #changed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (changed: readonly string[]) => void) {
    this.#tell = tell;
  }

  /** Watches these too. What is not there is passed over. */
  async add({ files, folders }: Watched): Promise<void> {
    for (const file of files) {
      this.#watch(`file ${file}`, dirname(file), (name) => {
        if (name === basename(file)) this.#note(file);
      });
    }
    await Promise.all(folders.map((folder) => this.#addFolder(folder)));
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  async #addFolder(folder: string): Promise<void> {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined);
    if (entries === undefined) return;
    this.#watch(folder, folder, (name) => {
      if (SOURCE_FILE.test(name)) this.#note(join(folder, name));
      // It may be a folder that is new, or that was replaced.
      else if (!SKIPPED_FOLDER.test(name)) void this.#addFolder(join(folder, name));
    });
    const inner = entries.filter(
      (entry) => entry.isDirectory() && !SKIPPED_FOLDER.test(entry.name),
    );
    await Promise.all(inner.map(({ name }) => this.#addFolder(join(folder, name))));
  }

  #watch(key: string, folder: string, onChange: (name: string) => void): void {
    this.#watchers.get(key)?.close();
    this.#watchers.delete(key);
    try {
      const watcher = watch(folder, (_event, name) => onChange(name ?? ''));
      // The folder has gone, and what was in it has been told already.
      watcher.on('error', () => watcher.close());
      this.#watchers.set(key, watcher);
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
