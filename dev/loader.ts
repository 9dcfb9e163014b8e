// Node 20 runs no TypeScript by itself. Where there is some, tsx helps: that of this package,
// whatever the project has. Where there is none, it is not loaded.

import { findConfigFile, isTypeScript } from '../config/load.ts';

/** The module for Node to import before any other; `undefined` if it needs none. */
export function loaderOf(config: string | undefined): string | undefined {
  const isNeeded = isTypeScript(import.meta.url) || isProjectTypeScript(config);
  return isNeeded ? import.meta.resolve('tsx') : undefined;
}

/** The configuration is in the language of what it names. */
function isProjectTypeScript(config: string | undefined): boolean {
  try {
    return isTypeScript(findConfigFile(config));
  } catch {
    // Not there, which whoever loads it says.
    return false;
  }
}
