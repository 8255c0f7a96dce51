// The file that holds what was measured: each benchmark rewrites its own section and leaves the others as they are.
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';

const title = '# Measurements\n';

/** Replaces what stands between the section's markers, or appends the section. */
export async function replaceSection(file, name, text) {
  const old = await readFile(file, 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return title;
    throw error;
  });
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const section = `${begin}\n## ${name[0].toUpperCase()}${name.slice(1)}\n\n${text.trim()}\n${end}`;
  const [from, to] = [old.indexOf(begin), old.indexOf(end)];
  const updated =
    from >= 0 && to > from
      ? old.slice(0, from) + section + old.slice(to + end.length)
      : `${old.trimEnd()}\n\n${section}\n`;
  await writeFile(file, updated);
}

/** One line that says when and where. */
export function machine() {
  const memory = Math.round(totalmem() / 1e9);
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  return `Measured ${new Date().toISOString().slice(0, 10)}: ${model}, ${availableParallelism()} cores, ${memory} GB, Node ${process.versions.node}, ${process.platform} ${process.arch}.`;
}

/** Rows {name, value, unit} as a Markdown table. */
export function table(rows) {
  const lines = rows.map(({ name, value, unit }) => `| ${name} | ${figure(value)} | ${unit} |`);
  return ['| what | value | unit |', '|---|---:|---|', ...lines].join('\n');
}

/** Four significant digits, and thousands set apart. */
function figure(value) {
  if (!Number.isFinite(value)) return '–';
  const digits = Math.max(0, 3 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.min(digits, 4) });
}
