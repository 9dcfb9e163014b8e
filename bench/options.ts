/** `--name 1000` of the command line. */
export function numberOption(name: string, fallback: number, min = 1): number {
  const place = process.argv.indexOf(`--${name}`);
  if (place < 0) return fallback;
  const value = Number(process.argv[place + 1]);
  if (!Number.isInteger(value) || value < min) {
    throw new Error(`--${name} takes a number from ${min} on`);
  }
  return value;
}
