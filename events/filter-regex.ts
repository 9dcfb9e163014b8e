// Regular expressions in RE2's syntax, matched in linear time. JavaScript's own
// backtrack: `(a+)+$` on thirty characters takes them a minute.

import { RE2JS } from 're2js';
import type { Budget } from './filter-budget.ts';

/** Longest regular expression, in characters. */
export const PATTERN_LENGTH_MAX = 1_000;

/** Largest regular expression once its repetitions are written out, in instructions. */
export const PATTERN_SIZE_MAX = 1_000;

/** Compiled patterns that are kept. Above it, the one unused for longest goes. */
const PATTERNS_KEPT_MAX = 1_000;

/** What compiling costs, in steps: a pattern may come from the event. */
const COMPILE_STEPS = 5_000;

/** Instructions that are tried on one character in one step. */
const INSTRUCTIONS_PER_STEP = 20;

/** A regular expression that RE2 does not accept, or that is too large. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

const patterns = new Map<string, RE2JS>();

/**
 * Compiles a regular expression, or finds it compiled.
 *
 * @throws PatternError
 */
export function compilePattern(source: string): RE2JS {
  const known = patterns.get(source);
  const pattern = known ?? compile(source);
  patterns.delete(source);
  patterns.set(source, pattern);
  if (patterns.size > PATTERNS_KEPT_MAX) {
    const [oldest] = patterns.keys();
    if (oldest !== undefined) patterns.delete(oldest);
  }
  return pattern;
}

/** Makes the function behind `matches`: whether the pattern is anywhere in the text. */
export function createMatches(budget: Budget): (text: string, source: string) => boolean {
  return (text, source) => {
    if (!patterns.has(source)) budget.spend(COMPILE_STEPS);
    const pattern = compilePattern(source);
    budget.spend(Math.ceil((text.length * pattern.programSize()) / INSTRUCTIONS_PER_STEP));
    return pattern.matcher(text).find();
  };
}

function compile(source: string): RE2JS {
  if (source.length > PATTERN_LENGTH_MAX) {
    throw new PatternError(`it is ${source.length} characters, at most ${PATTERN_LENGTH_MAX}`);
  }
  const pattern = parse(source);
  const size = pattern.programSize();
  if (size <= PATTERN_SIZE_MAX) return pattern;
  throw new PatternError(`it takes ${size} instructions, at most ${PATTERN_SIZE_MAX}`);
}

function parse(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PatternError(reason.replace(/^error parsing regexp: /, ''), { cause: error });
  }
}
