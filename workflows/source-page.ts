// A part of what a source has in memory, as an answer to who asks for changes.

import { itemsOf } from '../events/layer.ts';
import type { Layer } from '../events/operation.ts';
import type { Changes } from './messages.ts';

/** How much is in one page, in bytes: a query's answer is at most 2 MiB. */
export const PAGE_BYTES_MAX = 1024 * 1024;

type Page = Required<Pick<Changes, 'added'>> & Pick<Changes, 'operations' | 'next'>;

/**
 * What these layers have of later versions, oldest first. What is in them of one subscription is
 * in the order of versions, and a subscription is older than the operations on it.
 */
export function pageOf(layers: readonly Layer[], after: number): Page {
  const items = layers
    .flatMap((layer) => [...itemsOf(layer, after)])
    .toSorted((one, other) => one.version - other.version);
  let bytes = 0;
  let end = items.findIndex((item) => (bytes += item.bytes) > PAGE_BYTES_MAX);
  if (end === 0) end = 1;
  const shown = end === -1 ? items : items.slice(0, end);
  const last = shown.at(-1);
  const operations = shown.flatMap(({ id, operation }) =>
    operation ? [[id, operation] as const] : [],
  );
  return {
    added: shown.flatMap(({ subscription }) => subscription ?? []),
    ...(operations.length > 0 && { operations }),
    ...(shown.length < items.length && last && { next: last.version }),
  };
}
