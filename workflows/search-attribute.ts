// The search attribute that names the sources a workflow subscribes to: the Temporal UI
// filters by it, and a source that has lost its state finds its subscribers by it.
//
// Whether to write it comes from history, as the result of the registration: only a
// namespace that knows the attribute takes it.

import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { upsertSearchAttributes } from '@temporalio/workflow';

import type { Inbox } from './inbox.ts';
import { SOURCE_ATTRIBUTE } from './messages.ts';

const SOURCES = defineSearchAttributeKey(SOURCE_ATTRIBUTE, SearchAttributeType.KEYWORD_LIST);

/** Writes the sources that are subscribed to, if they are others than before. */
export function showSources(inbox: Inbox): void {
  const sources = inbox.shown.newlyShown(inbox.held);
  if (sources === undefined) return;
  upsertSearchAttributes([{ key: SOURCES, value: sources.length > 0 ? [...sources] : null }]);
}
