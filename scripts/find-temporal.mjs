import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

export async function findTemporal() {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  for (const directory of [...(process.env.PATH ?? '').split(delimiter), join(cache, 'nextevent', 'bin')]) {
    const path = join(directory, 'temporal');
    try { accessSync(path, constants.X_OK); return path; } catch {}
  }
  throw new Error('no temporal');
}
