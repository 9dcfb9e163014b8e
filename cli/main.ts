#!/usr/bin/env node
// The `nextevent` command. Each of its commands is a file of its own, and is added here.

import { createRequire } from 'node:module';

import { Command, CommanderError } from 'commander';

import { toSentence } from '../dev/errors.ts';
import { createDeliveryCommand } from './delivery.ts';
import { createDeployCommand } from './deploy.ts';
import { createDevCommand } from './dev.ts';
import { createFilterCommand } from './filter.ts';
import { createIngressCommand } from './ingress.ts';
import { createInitCommand } from './init.ts';
import { createKeyCommand } from './key.ts';
import { createListenerCommand } from './listener.ts';
import { createRejectionsCommand } from './rejections.ts';
import { createSendCommand } from './send.ts';
import { createSubscriptionsCommand } from './subscriptions.ts';
import { createWorkerCommand } from './worker.ts';

const COMMANDS = [
  createInitCommand,
  createDevCommand,
  createWorkerCommand,
  createIngressCommand,
  createDeployCommand,
  createSendCommand,
  createSubscriptionsCommand,
  createListenerCommand,
  createDeliveryCommand,
  createRejectionsCommand,
  createFilterCommand,
  createKeyCommand,
];

const { version } = createRequire(import.meta.url)('nextevent/package.json') as { version: string };

try {
  await createProgram().parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) console.error(toSentence(error));
  else if (error.message.startsWith('error: ')) console.error(toLine(error));
  process.exit(error instanceof CommanderError ? error.exitCode : 1);
}

function createProgram(): Command {
  const program = new Command('nextevent')
    .description('Filtered, durable event subscriptions for Temporal workflows')
    .version(version, '--version', 'print the version')
    .helpOption('--help', 'print what there is to say')
    .helpCommand(false)
    // What is wrong is printed above, as one sentence.
    .configureOutput({ outputError() {} })
    .exitOverride();
  for (const createCommand of COMMANDS) {
    program.addCommand(inheriting(program, createCommand()));
  }
  return program;
}

/** A command with the settings of the one above it, and so on down. */
function inheriting(above: Command, command: Command): Command {
  command.copyInheritedSettings(above);
  for (const below of command.commands) inheriting(command, below);
  return command;
}

/** What commander says over several lines: `unknown command 'worke' (Did you mean worker?)`. */
function toLine({ message }: CommanderError): string {
  const [, said = message] = /^error: (.*?)\.?$/s.exec(message) ?? [];
  return `${said.replaceAll(/\s+/g, ' ').trim()}; nextevent --help says what there is`;
}
