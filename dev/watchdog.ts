// Ends a program when this process is gone, however it went: also by SIGKILL, which no handler
// sees. A shell waits on a pipe whose other end is here; when the pipe closes without a word,
// this process has died.

import { spawn, type ChildProcess } from 'node:child_process';

const STAND_DOWN = 'stand down';
const SCRIPT = `read -r word; [ "$word" = '${STAND_DOWN}' ] || kill -TERM "$1"`;

/** Watches over a child that outlives its parent by itself. Where there is no shell: does nothing. */
export function watchOver(child: ChildProcess): void {
  if (child.pid === undefined || process.platform === 'win32') return;
  const watchdog = spawn('sh', ['-c', SCRIPT, 'watchdog', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // Out of reach of a Ctrl-C in the terminal: it goes when the child has gone.
    detached: true,
  });
  // Without a watchdog the child is still stopped in every other case.
  watchdog.once('error', () => {});
  watchdog.stdin.once('error', () => {});
  watchdog.unref();
  child.once('exit', () => watchdog.stdin.end(`${STAND_DOWN}\n`));
}
