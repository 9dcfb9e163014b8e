// Whether an address answers well, as an exit code: for the health checks of containers.

const [, , url] = process.argv;
try {
  process.exitCode = (await fetch(url)).ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
