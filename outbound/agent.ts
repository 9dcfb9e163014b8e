// Connections to receivers. A guard that looks at names only would be passed by literal addresses,
// and one that looks before the connection is made by a name whose address changes in between. So
// it is here: what is dialled is what was checked, with the name for TLS and `Host`.

import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';

import { Agent, buildConnector } from 'undici';

import { bareHost, isReachable, type AllowRules } from './addresses.ts';
import { AddressError } from './errors.ts';
import { CONNECT_MS_MAX } from './failures.ts';
import { createLookup, type Resolve } from './lookup.ts';

/** After so long a connection is used no more, in milliseconds: the name may have moved. */
const CONNECTION_MS_MAX = 60_000;

export interface AgentOptions {
  readonly rules: AllowRules;
  readonly resolve: Resolve;
  /** What TLS is told besides, such as certificates to trust. */
  readonly tls?: Pick<ConnectionOptions, 'ca'>;
}

export function createAgent({ rules, resolve, tls }: AgentOptions): Agent {
  const dial = buildConnector({
    ...tls,
    timeout: CONNECT_MS_MAX,
    lookup: createLookup(rules, resolve),
    autoSelectFamily: true,
  });
  const connect: buildConnector.connector = (options, callback) => {
    const host = bareHost(options.hostname);
    const refuse = (): void => callback(new AddressError('the address is not allowed'), null);
    // No lookup is made for what is an address already.
    if (isIP(host) !== 0 && !isReachable(host, host, rules)) {
      queueMicrotask(refuse);
      return;
    }
    dial(options, (...[error, socket]) => {
      if (error !== null) callback(error, null);
      else if (isReachable(host, socket.remoteAddress ?? '', rules)) callback(null, socket);
      else {
        socket.destroy();
        refuse();
      }
    });
  };
  return new Agent({
    connect,
    clientTtl: CONNECTION_MS_MAX,
    keepAliveMaxTimeout: CONNECTION_MS_MAX,
    // Each attempt has a time limit of its own, for all of it.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}
