// The environment variables of `npm start`.

import { StartError } from './errors.ts';

const PORT_MAX = 65_535;

/** The variables that say where things listen, and what they say if they are not set. */
const PORT_DEFAULTS = { PORT: 8088, TEMPORAL_PORT: 7233, TEMPORAL_UI_PORT: 8233 } as const;

/** An environment variable that holds a port. */
export type PortVariable = keyof typeof PORT_DEFAULTS;

/** The settings of this process. A port of 0 is any free one. */
export interface Settings {
  readonly ports: Readonly<Record<PortVariable, number>>;
  /** The server to use; if there is none, one is started. */
  readonly temporalAddress?: string;
  /** Whether a change of workflows or configuration restarts the worker and the ingress. */
  readonly reload: boolean;
}

export function resolveSettings(env: NodeJS.ProcessEnv, args: readonly string[]): Settings {
  const unknown = args.find((arg) => arg !== '--reload');
  if (unknown !== undefined) throw new StartError(`there is no option ${unknown}, only --reload`);
  const { TEMPORAL_ADDRESS: temporalAddress } = env;
  return {
    ports: {
      PORT: portIn(env, 'PORT'),
      TEMPORAL_PORT: portIn(env, 'TEMPORAL_PORT'),
      TEMPORAL_UI_PORT: portIn(env, 'TEMPORAL_UI_PORT'),
    },
    reload: args.includes('--reload'),
    ...(temporalAddress ? { temporalAddress } : {}),
  };
}

function portIn(env: NodeJS.ProcessEnv, variable: PortVariable): number {
  const text = env[variable] || String(PORT_DEFAULTS[variable]);
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= PORT_MAX) return port;
  throw new StartError(`${variable} is "${text}", must be a number from 0 to ${PORT_MAX}`);
}
