// Workflows that only tests run.

export * from './hoarding.ts';
export * from './listening.ts';
export * from './collecting.ts';
export * from './racing.ts';
export * from './subscribing.ts';
export * from './waiting.ts';
export * from './reading.ts';
export * from './continuing.ts';
export * from './recorded.ts';
export * from './feeding.ts';
export * from './resetting.ts';
export * from './responding.ts';
export * from './scenarios.ts';
export * from './enduring.ts';
export * from './managing.ts';
export * from './turning.ts';
export * from './overlapping.ts';
export * from './withdrawing.ts';
