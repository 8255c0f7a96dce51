// How long the extension host keeps its extensions waiting, measured by an extension of the benchmark's own.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { createVSIX } from '@vscode/vsce';
import { until } from '../../test/e2e/driver/until.ts';
import type { Workbench } from '../../test/e2e/driver/workbench.ts';

/** Delays of the event loop in milliseconds, while something was done. */
export interface EventLoopDelay {
  looks: number;
  /** p50, p99, p99.9 */
  percentiles: [number, number, number];
  max: number;
}

/** Packs the measuring extension; gives its path. */
export async function packProbe(file: string): Promise<string> {
  const cwd = resolve('bench/workbench/probe');
  await createVSIX({ cwd, packagePath: file, dependencies: false, allowMissingRepository: true, skipLicense: true });
  return file;
}

/** `file`: the one that the measuring extension was told in LIFT_PROBE_FILE. */
export async function eventLoopDelayDuring(
  window: Workbench,
  file: string,
  take: () => Promise<void>,
): Promise<EventLoopDelay> {
  await window.command('Event Loop Probe: Start');
  await take();
  rmSync(file, { force: true });
  await window.command('Event Loop Probe: Write');
  return JSON.parse(await until('the measured delays', () => existsSync(file) && readFileSync(file, 'utf8')));
}
