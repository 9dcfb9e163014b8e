// A RabbitMQ broker of Debian, with ports and directories of its own.

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { Connection } from 'rabbitmq-client';

import { freePort } from '../../dev/ports.ts';
import { until } from '../../testing/until.ts';

// Not what is on the path: that wants to be root, or the user of the package.
const PROGRAMS = '/usr/lib/rabbitmq/bin';

/** How long it may take to install it, and how long to start, in milliseconds. */
const INSTALL_MS_MAX = 5 * 60_000;
const START_MS_MAX = 2 * 60_000;

const run = promisify(execFile);

export interface Rabbit {
  readonly port: number;
  /** Starts or ends the broker's application, while its process goes on. */
  control(...args: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a broker with the user `guest`. It is installed if it is not there.
 *
 * @throws Error if it can not be installed, or does not start
 */
export async function startRabbit(): Promise<Rabbit> {
  if (!existsSync(join(PROGRAMS, 'rabbitmq-server'))) await install();
  const directory = await mkdtemp(join(tmpdir(), 'nextevent-rabbitmq-'));
  const [port, distPort, epmdPort] = await Promise.all([freePort(), freePort(), freePort()]);
  const plugins = join(directory, 'enabled_plugins');
  await writeFile(plugins, '[].');
  const env = {
    PATH: process.env.PATH,
    HOME: directory,
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `nextevent${process.pid}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distPort),
    RABBITMQ_MNESIA_BASE: join(directory, 'data'),
    RABBITMQ_LOG_BASE: join(directory, 'log'),
    RABBITMQ_ENABLED_PLUGINS_FILE: plugins,
    RABBITMQ_CONFIG_FILE: join(directory, 'none'),
    RABBITMQ_CONF_ENV_FILE: join(directory, 'none'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(directory, 'none'),
  };
  // Its own, in the foreground: the one that Erlang starts by itself would be left over.
  const epmd = spawn('epmd', ['-port', String(epmdPort)], { env, stdio: 'ignore' });
  const server = spawn(join(PROGRAMS, 'rabbitmq-server'), [], { env, stdio: 'ignore' });
  const control = async (...args: readonly string[]): Promise<void> => {
    await run(join(PROGRAMS, 'rabbitmqctl'), args, { env });
  };
  const stop = async (): Promise<void> => {
    await end(server);
    await end(epmd);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await until('the broker takes connections', () => isReady(server, port), {
      timeoutMs: START_MS_MAX,
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, control, stop };
}

/** As root, or as who may be that without a password. */
async function install(): Promise<void> {
  // Without a run level for it, the package starts no broker of its own.
  const settings = ['env', 'RUNLEVEL=1', 'DEBIAN_FRONTEND=noninteractive'];
  const [command = '', ...before] =
    process.getuid?.() === 0 ? settings : ['sudo', '-n', ...settings];
  const apt = (...args: readonly string[]) =>
    run(command, [...before, 'apt-get', ...args], { timeout: INSTALL_MS_MAX });
  // A machine that has just been set up does not know yet which packages there are.
  await apt('update');
  await apt('install', '-y', '--no-install-recommends', 'rabbitmq-server');
}

async function isReady(server: ChildProcess, port: number): Promise<boolean> {
  if (server.exitCode !== null) throw new Error(`rabbitmq-server ended with ${server.exitCode}`);
  const connection = new Connection({ hostname: '127.0.0.1', port });
  connection.on('error', () => {});
  try {
    await connection.onConnect(1_000);
    return true;
  } catch {
    return false;
  } finally {
    connection.unsafeDestroy();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
