// Measurements as processes of their own, and numbers as text.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { BenchRow } from '../native-host/bench/bench-row.ts';

// Relative to the bundles in dist/.
const root = fileURLToPath(new URL('../', import.meta.url));
const commandLine = fileURLToPath(new URL('cli.js', import.meta.url));

/** Rows of a `lift bench …`. */
export async function lift(args: readonly string[]): Promise<BenchRow[]> {
  const output = await run(process.execPath, [commandLine, ...args, '--json']);
  return (lastLine(output) as { rows: BenchRow[] }).rows;
}

/** Standard output of a command. Throws when it fails; what it writes to standard error is shown. */
export function run(
  command: string,
  args: readonly string[],
  { quiet = false, environment = {} }: { quiet?: boolean; environment?: Record<string, string> } = {},
): Promise<string> {
  if (!quiet) console.error(`$ ${[command, ...args].join(' ')}`);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', quiet ? 'ignore' : 'inherit'],
    });
    let output = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ${args.join(' ')} ended with ${signal ?? `status ${code}`}`));
    });
  });
}

export function lastLine(output: string): unknown {
  return JSON.parse(output.trim().split('\n').at(-1)!);
}

/** Four significant digits, and no digit of a large number dropped. */
export function figure(value: number): string {
  const digits = Math.max(0, 3 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.min(digits, 4) });
}
