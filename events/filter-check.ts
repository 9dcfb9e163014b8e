// What a filter must keep to beyond what the CEL library checks: names that exist,
// regular expressions that compile, and comprehensions that are not nested deeply.

import { toFilterError } from './filter-error.ts';
import { isComprehension, partsOf, toCall, toName } from './filter-expression.ts';
import type { Call, Expression } from './filter-expression.ts';
import { suggest } from './filter-hints.ts';
import { EVENT_ATTRIBUTES } from './filter-input.ts';
import { PatternError, compilePattern } from './filter-regex.ts';

/** How deeply comprehensions (`exists`, `all`, `map`, ...) may be nested. */
export const COMPREHENSION_NESTING_MAX = 2;

/** The functions and methods that filters may call, by name. */
export interface KnownCalls {
  readonly functions: ReadonlySet<string>;
  readonly methods: ReadonlySet<string>;
}

/** Where in the filter an expression is. */
interface Scope {
  readonly nesting: number;
  /** Variables of the comprehensions around it: they hide the filter's own. */
  readonly variables: ReadonlySet<string>;
}

/** Checks one filter against the rules of this file. */
export class FilterCheck {
  readonly #text: string;
  readonly #known: KnownCalls;

  constructor(text: string, known: KnownCalls) {
    this.#text = text;
    this.#known = known;
  }

  /** @throws FilterError */
  run(expression: Expression): void {
    this.#visit(expression, { nesting: 0, variables: new Set() });
  }

  #visit(expression: Expression, scope: Scope): void {
    const call = toCall(expression);
    if (call === undefined) {
      this.#checkAttribute(expression, scope);
      for (const part of partsOf(expression)) this.#visit(part, scope);
      return;
    }
    this.#checkName(expression, call);
    this.#checkPattern(call);
    if (call.receiver !== undefined) this.#visit(call.receiver, scope);
    const inner = isComprehension(call) || isBinding(call) ? this.#enter(call, scope) : scope;
    for (const parameter of call.parameters) this.#visit(parameter, inner);
  }

  #enter(call: Call, scope: Scope): Scope {
    const variable = toName(call.parameters[0]);
    const nesting = scope.nesting + (isBinding(call) ? 0 : 1);
    if (nesting > COMPREHENSION_NESTING_MAX) {
      const levels = `at most ${COMPREHENSION_NESTING_MAX} levels`;
      throw this.#error(`${call.name} is nested too deeply, ${levels}`, call.receiver?.start);
    }
    return { nesting, variables: new Set([...scope.variables, variable ?? '']) };
  }

  #checkName(expression: Expression, call: Call): void {
    const { functions, methods } = this.#known;
    const isMethod = call.receiver !== undefined;
    if ((isMethod ? methods : functions).has(call.name)) return;
    const at = isMethod ? this.#text.indexOf(call.name, call.receiver?.end) : expression.start;
    if ((isMethod ? functions : methods).has(call.name)) {
      const right = isMethod ? `${call.name}(value)` : `value.${call.name}(...)`;
      const kind = isMethod ? 'function, not a method' : 'method, not a function';
      throw this.#error(`${call.name} is a ${kind}`, at, `write ${right}`);
    }
    const kind = isMethod ? 'method' : 'function';
    const candidates = isMethod ? [...methods, ...functions] : [...functions, ...methods];
    throw this.#error(`unknown ${kind} ${call.name}`, at, suggest(call.name, candidates));
  }

  #checkPattern(call: Call): void {
    const pattern = call.name === 'matches' ? call.parameters.at(-1) : undefined;
    if (pattern?.op !== 'value' || typeof pattern.args !== 'string') return;
    try {
      compilePattern(pattern.args);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      throw this.#error(`invalid regular expression, ${error.message}`, pattern.start);
    }
  }

  /** Finds `event.sorce`: an attribute that no event has would never match. */
  #checkAttribute(expression: Expression, scope: Scope): void {
    if (expression.op !== '.' || !Array.isArray(expression.args)) return;
    const args: readonly unknown[] = expression.args;
    const [holder] = partsOf(expression);
    const attribute = args[1];
    if (toName(holder) !== 'event' || scope.variables.has('event')) return;
    if (typeof attribute !== 'string' || EVENT_ATTRIBUTES.includes(attribute)) return;
    const hint = attribute === 'data' ? 'did you mean data?' : suggest(attribute, EVENT_ATTRIBUTES);
    const at = expression.end - attribute.length;
    throw this.#error(`events have no attribute ${attribute}`, at, hint);
  }

  #error(problem: string, at: number | undefined, hint?: string): Error {
    return toFilterError(this.#text, { problem, at, hint });
  }
}

function isBinding(call: Call): boolean {
  return call.name === 'bind' && toName(call.receiver) === 'cel';
}
