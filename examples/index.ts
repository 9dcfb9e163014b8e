// The workflows that the clone's nextevent.config.ts runs.

export * from './00-hello.ts';
export * from './01-approval.ts';
export * from './02-meow.ts';
export * from './03-three-sources.ts';
