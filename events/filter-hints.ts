// What the author of a filter probably meant.

/** What people write, from other languages and from other event systems, and what it is here. */
const MEANT: ReadonlyMap<string, string> = new Map([
  ['and', '&&'],
  ['or', '||'],
  ['not', '!'],
  ['is', '=='],
  ['eq', '=='],
  ['=', '=='],
  ['&', '&&'],
  ['|', '||'],
  ['none', 'null'],
  ['nil', 'null'],
  ['undefined', 'null'],
  ['len', 'size'],
  ['length', 'size'],
  ['count', 'size'],
  ['includes', 'contains'],
  ['some', 'exists'],
  ['any', 'exists'],
  ['every', 'all'],
  ['tolower', 'lowerAscii'],
  ['lower', 'lowerAscii'],
  ['toupper', 'upperAscii'],
  ['upper', 'upperAscii'],
  ['match', 'matches'],
  ['regex', 'matches'],
  ['method', 'data.method'],
  ['url', 'data.url'],
  ['headers', 'data.headers'],
  ['body', 'data.body'],
  ['id', 'event.id'],
  ['source', 'event.source'],
  ['subject', 'event.subject'],
  ['time', 'event.time'],
  ['payload', 'data'],
]);

/** Names longer than this are compared with nothing. */
const NAME_LENGTH_MAX = 64;

/** How much of a name may be wrong: one letter in three. */
const LETTERS_PER_MISTAKE = 3;

/** Suggests what a name that is not known was meant to be. */
export function suggest(name: string, known: Iterable<string>): string | undefined {
  const meant = MEANT.get(name.toLowerCase()) ?? nearest(name, known);
  return meant === undefined ? undefined : `did you mean ${meant}?`;
}

/** Looks at the text around a place where it could not be read, for what was meant. */
export function suggestAt(text: string, at: number): string | undefined {
  const rest = text.slice(at);
  if (rest.startsWith('`') && text[at - 1] === '.') return "write ['name'] for such a name";
  const fraction = /^\.\d+/.exec(rest)?.[0];
  if (fraction !== undefined) return `write 0${fraction}`;
  if (/^[“”‘’`]/.test(rest)) return 'quote text with \' or "';
  if (/^={1,2}/.test(rest) && /[=!]=$/.test(text.slice(0, at))) {
    return `did you mean ${text.slice(at - 2, at)}?`;
  }
  const here = /^(?:[a-z]+|[=&|])/i.exec(rest)?.[0];
  const before = /([a-z]+)\s*$/i.exec(text.slice(0, at))?.[1];
  for (const word of [here, before]) {
    const meant = word === undefined ? undefined : MEANT.get(word.toLowerCase());
    if (meant !== undefined && !/\w/.test(meant)) return `did you mean ${meant}?`;
  }
  return undefined;
}

function nearest(name: string, known: Iterable<string>): string | undefined {
  if (name.length > NAME_LENGTH_MAX) return undefined;
  let best: string | undefined;
  let fewest = Math.max(1, Math.floor(name.length / LETTERS_PER_MISTAKE)) + 1;
  for (const candidate of known) {
    const mistakes = distance(name.toLowerCase(), candidate.toLowerCase());
    if (mistakes >= fewest || mistakes >= candidate.length) continue;
    best = candidate;
    fewest = mistakes;
  }
  return best;
}

/** How many letters to insert, remove, replace or swap with the next, to make one the other. */
function distance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      current[column] = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (beforeLast[column - 2] ?? 0) + 1 : Infinity,
      );
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length] ?? 0;
}
