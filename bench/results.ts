// bench/RESULTS.md has a section for each benchmark, between two marker comments; a run rewrites its own. Other pages have
// sections in the same way.
import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

// Relative to the bundle in dist/.
const file = fileURLToPath(new URL('../bench/RESULTS.md', import.meta.url));

/** What measured, and when. */
export function machineAndDay(): string {
  return `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`;
}

/** Replaces the section of that name in RESULTS.md, or adds it at the end. The machine and the day are written above it. */
export async function writeSection(name: string, lines: readonly string[]): Promise<void> {
  const before = await readFile(file, 'utf8').catch(() => '# Results\n');
  const title = `${name[0]!.toUpperCase()}${name.slice(1)}`;
  const text = `## ${title}\n\n${machineAndDay()}\n\n${lines.join('\n')}`;
  await writeFile(file, withSection(before, name, text));
}

/** The page with this text between the section's two comments, at the end where it has none of that name. */
export function withSection(page: string, name: string, text: string): string {
  const start = `<!-- ${name} -->`;
  const end = `<!-- end of ${name} -->`;
  const section = `${start}\n${text}\n${end}`;
  const [from, to] = [page.indexOf(start), page.indexOf(end)];
  return from >= 0 && to > from
    ? page.slice(0, from) + section + page.slice(to + end.length)
    : `${page.trimEnd()}\n\n${section}\n`;
}
