// The workflows that the clone's nextevent.config.ts runs.

export * from './00-hello.ts';
export * from './01-approval.ts';
export * from './02-meow.ts';
export * from './03-three-sources.ts';
export * from './04-reminder.ts';
export * from './05-silence.ts';
export * from './06-account.ts';
