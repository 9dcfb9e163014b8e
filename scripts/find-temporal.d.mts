export function findTemporal(): Promise<string>;
