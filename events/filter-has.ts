// `has(data.items[0].sku)`. The CEL library accepts `has` only on a path of plain
// names; the language allows any expression before the last one.

import { isExpression, partsOf, toCall, toName } from './filter-expression.ts';
import type { Expression } from './filter-expression.ts';

/** Makes the call that tells whether a holder has a key. */
export type ToCall = (key: string, holder: Expression) => Expression;

/** A node of the library's tree, which evaluates its `alternate` in its own place. */
interface Replaceable extends Expression {
  setMeta(name: 'alternate', expression: Expression): unknown;
}

/** Lets `has` take a path with an index in it. */
export function widenHas(expression: Expression, toHas: ToCall): void {
  for (const part of partsOf(expression)) widenHas(part, toHas);
  const call = toCall(expression);
  if (call?.name !== 'has' || call.receiver !== undefined) return;
  const [path] = call.parameters;
  if (path?.op !== '.' || !Array.isArray(path.args) || isPlainPath(path)) return;
  const [holder, key]: readonly unknown[] = path.args;
  if (!isExpression(holder) || typeof key !== 'string' || !isReplaceable(expression)) return;
  expression.setMeta('alternate', toHas(key, holder));
}

function isPlainPath(path: Expression): boolean {
  const [holder] = partsOf(path);
  if (path.op !== '.') return toName(path) !== undefined;
  return holder !== undefined && isPlainPath(holder);
}

function isReplaceable(expression: Expression): expression is Replaceable {
  return 'setMeta' in expression;
}
