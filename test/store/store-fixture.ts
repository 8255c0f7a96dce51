/** Small adapters in temporary folders, and bundles of the store for child processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type AdapterLayout, layOut } from '../../native-host/model/adapter-layout.ts';

export const baseModelKey = '0123456789abcdef';

export const smallLayout: AdapterLayout = layOut('lora', 2, 4, [
  { name: 'layers.0.q_proj.lora_A', shape: [2, 6] },
  { name: 'layers.0.q_proj.lora_B', shape: [4, 2] },
]);

/** Every value follows from the layout's length and the seed. */
export function vectorOf(layout: AdapterLayout, seed: number): Float32Array {
  return Float32Array.from({ length: layout.length }, (_, i) => Math.fround(Math.sin(seed * 7919 + i)));
}

export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'lift-store-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export function folderNamed(parent: string, name: string): string {
  const path = join(parent, name);
  mkdirSync(path, { recursive: true });
  return path;
}

/** A module that imports the store, bundled so that a plain `node` runs it. Returns the bundle's path. */
export async function bundleForChild(folder: string, name: string, source: string): Promise<string> {
  const outfile = join(folder, `${name}.mjs`);
  const resolveDir = join(dirname(fileURLToPath(import.meta.url)), '../../native-host/store');
  await build({
    stdin: { contents: source, resolveDir, loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile,
    logLevel: 'error',
  });
  return outfile;
}

/** Starts a bundle; `lines` grows with what it prints. */
export function startChild(
  bundle: string,
  args: string[],
): { child: ChildProcess; lines: string[]; ended: Promise<number | null> } {
  const child = spawn(process.execPath, [bundle, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines: string[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
  return { child, lines, ended };
}

export function writeText(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
