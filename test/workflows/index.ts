// Workflows that only tests run.

export * from './listening.ts';
