// bench/RESULTS.md has a section for each benchmark, between two marker comments; a run rewrites its own.
import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

// Relative to the bundle in dist/.
const file = fileURLToPath(new URL('../bench/RESULTS.md', import.meta.url));

/** What measured, and when. */
export function machineAndDay(): string {
  return `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`;
}

/** Replaces the section of that name, or adds it at the end. The machine and the day are written above it. */
export async function writeSection(name: string, lines: readonly string[]): Promise<void> {
  const before = await readFile(file, 'utf8').catch(() => '# Results\n');
  const start = `<!-- ${name} -->`;
  const end = `<!-- end of ${name} -->`;
  const section = `${start}\n## ${name[0]!.toUpperCase()}${name.slice(1)}\n\n${machineAndDay()}\n\n${lines.join('\n')}\n${end}`;
  const from = before.indexOf(start);
  const to = before.indexOf(end);
  const after =
    from >= 0 && to > from
      ? before.slice(0, from) + section + before.slice(to + end.length)
      : `${before.trimEnd()}\n\n${section}\n`;
  await writeFile(file, after);
}
