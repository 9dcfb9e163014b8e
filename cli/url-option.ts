// The option that says where an ingress is.

import { Option } from 'commander';

import { StartError } from '../dev/errors.ts';

/** An address that is no URL of HTTP is refused before anything is asked. */
export function createUrlOption(what: string, defaultUrl: string): Option {
  return new Option('--url <url>', what).default(defaultUrl).argParser(checkUrl);
}

function checkUrl(text: string): string {
  // Without its scheme, `localhost:9088` is a URL whose scheme is `localhost`.
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new StartError(`--url is "${text}", must be such as http://127.0.0.1:9088`);
}
