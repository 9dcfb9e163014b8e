// Time in filters: instants to the millisecond, read in UTC or in a zone that the
// filter names, and never in the zone of the host.

/** The instants that the language has: the years 1 to 9999. */
const INSTANT_MIN = Date.parse('0001-01-01T00:00:00Z');
const INSTANT_MAX = Date.parse('9999-12-31T23:59:59.999Z');

/** The lengths that the language has, in nanoseconds: about 10,000 years. */
export const NANOSECONDS_MAX = 315_576_000_000n * 1_000_000_000n;

export const NANOSECONDS_PER_SECOND = 1_000_000_000n;

/**
 * Longest text of a length of time, in characters. All that the language has can be said in 24;
 * many more cost more to read than an evaluation pays for them.
 */
const DURATION_LENGTH_MAX = 100;

/** Zones whose calendar is kept. A filter may take their names from events. */
const ZONES_KEPT_MAX = 100;

const MS_PER_DAY = 86_400_000;

const RFC_3339 =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/;

const OFFSET = /^([+-]?)(\d\d?):(\d\d)$/;

const DURATION = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:h|ms|m|s|us|µs|ns))+$/;
const DURATION_PART = /(\d*)(?:\.(\d*))?(h|ms|m|s|us|µs|ns)/g;

const NANOSECONDS: Readonly<Record<string, bigint>> = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  µs: 1_000n,
  ns: 1n,
};

/** The parts of an instant that filters ask for, by the names of the methods. */
export const INSTANT_PARTS = {
  getFullYear: (local: Date) => local.getUTCFullYear(),
  getMonth: (local: Date) => local.getUTCMonth(),
  getDate: (local: Date) => local.getUTCDate(),
  getDayOfMonth: (local: Date) => local.getUTCDate() - 1,
  getDayOfWeek: (local: Date) => local.getUTCDay(),
  getDayOfYear: dayOfYear,
  getHours: (local: Date) => local.getUTCHours(),
  getMinutes: (local: Date) => local.getUTCMinutes(),
  getSeconds: (local: Date) => local.getUTCSeconds(),
  getMilliseconds: (local: Date) => local.getUTCMilliseconds(),
} as const;

const calendars = new Map<string, Intl.DateTimeFormat>();

/** Reads RFC 3339, and nothing else. Digits after the millisecond are dropped. */
export function parseInstant(text: string): Date | undefined {
  const match = RFC_3339.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map(Number);
  const [, , , , , , , fraction = '', sign, offsetHours = '0', offsetMinutes = '0'] = match;
  const local = toUtc([year, month - 1, day, hour, minute, second]);
  const isReal =
    local.getUTCMonth() === month - 1 && local.getUTCDate() === day && hour < 24 && minute < 60;
  if (!isReal || second > 59 || Number(offsetHours) > 23 || Number(offsetMinutes) > 59) {
    return undefined;
  }
  const offsetMs = toOffsetMs(sign, offsetHours, offsetMinutes);
  return toInstant(local.getTime() - offsetMs + Number(fraction.padEnd(3, '0').slice(0, 3)));
}

/** The instant, if the language has it. */
export function toInstant(milliseconds: number): Date | undefined {
  const isInRange = milliseconds >= INSTANT_MIN && milliseconds <= INSTANT_MAX;
  return isInRange ? new Date(milliseconds) : undefined;
}

/** As RFC 3339, with a fraction only where there is one. */
export function formatInstant(instant: Date): string {
  return instant.toISOString().replace(/\.?0*Z$/, 'Z');
}

/** Reads a length such as `1h30m` or `-1.5s`, in nanoseconds. */
export function parseNanoseconds(text: string): bigint | undefined {
  if (text.length > DURATION_LENGTH_MAX || !DURATION.test(text)) return undefined;
  let nanoseconds = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of text.matchAll(DURATION_PART)) {
    const perUnit = NANOSECONDS[unit] ?? 0n;
    const digits = fraction.slice(0, 15);
    nanoseconds += BigInt(whole || 0) * perUnit;
    nanoseconds += (BigInt(digits || 0) * perUnit) / 10n ** BigInt(digits.length);
  }
  if (nanoseconds > NANOSECONDS_MAX) return undefined;
  return text.startsWith('-') ? -nanoseconds : nanoseconds;
}

/** In seconds, with a fraction only where there is one: `90.5s`. */
export function formatNanoseconds(nanoseconds: bigint): string {
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const fraction = String(size % NANOSECONDS_PER_SECOND)
    .padStart(9, '0')
    .replace(/0+$/, '');
  const sign = nanoseconds < 0n ? '-' : '';
  return `${sign}${size / NANOSECONDS_PER_SECOND}${fraction === '' ? '' : `.${fraction}`}s`;
}

/** Whether the zone is one whose rules have to be looked up. */
export function isNewZone(zone: string): boolean {
  return !OFFSET.test(zone) && !calendars.has(zone);
}

/** What a clock in the zone shows, as the UTC of a date. */
export function toLocal(instant: Date, zone: string): Date | undefined {
  const offset = OFFSET.exec(zone);
  if (offset !== null) {
    const [, sign, hours = '0', minutes = '0'] = offset;
    return new Date(instant.getTime() + toOffsetMs(sign, hours, minutes));
  }
  const calendar = calendars.get(zone) ?? openCalendar(zone);
  if (calendar === undefined) return undefined;
  const shown = new Map(
    calendar.formatToParts(instant).map(({ type, value }) => [type, Number(value)]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes): number => shown.get(type) ?? 0;
  const local = toUtc([
    part('year'),
    part('month') - 1,
    part('day'),
    part('hour'),
    part('minute'),
    part('second'),
  ]);
  return new Date(local.getTime() + instant.getUTCMilliseconds());
}

function openCalendar(zone: string): Intl.DateTimeFormat | undefined {
  try {
    const calendar = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      calendar: 'gregory',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    const [oldest] = calendars.keys();
    if (calendars.size >= ZONES_KEPT_MAX && oldest !== undefined) calendars.delete(oldest);
    calendars.set(zone, calendar);
    return calendar;
  } catch {
    return undefined; // There is no such zone.
  }
}

type Clock = readonly [
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
];

/** `Date.UTC` takes the years before 100 for those of another century. */
function toUtc([year, month, day, ...time]: Clock): Date {
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  date.setUTCHours(...time);
  return date;
}

function toOffsetMs(sign: string | undefined, hours: string, minutes: string): number {
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}

function dayOfYear(local: Date): number {
  const newYear = toUtc([local.getUTCFullYear(), 0, 1, 0, 0, 0]);
  return Math.floor((local.getTime() - newYear.getTime()) / MS_PER_DAY);
}
