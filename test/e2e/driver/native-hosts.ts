// The processes of the native host that a server's extension hosts have started, found as the system lists them.
import { readdirSync, readFileSync } from 'node:fs';

/** Process ids of the native hosts whose program lies below that folder, in ascending order. */
export function nativeHosts(extensionsFolder: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      const [, ...args] = commandLine(pid);
      return args.some((argument) => argument.startsWith(extensionsFolder) && argument.endsWith('/dist/main.js'));
    })
    .sort((a, b) => a - b);
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
