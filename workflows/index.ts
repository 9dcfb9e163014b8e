// Every workflow of the library itself; the worker runs them on a task queue of their own.

export { nexteventSegment, nexteventSource, nexteventStoredEvent } from './source.ts';
