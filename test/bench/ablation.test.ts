import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type AblationRun, writeAblation } from '../../bench/ablation-page.ts';
import { evalResult } from '../cli/eval/eval-result-fixture.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lift-ablation-page-'));
  file = join(folder, 'ABLATION.md');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function run(packages: readonly string[], steps: number): AblationRun {
  const part = { name: 'segments and questions', method: 'none', arms: ['base', 'lift'] };
  const results = packages.map(() => evalResult);
  return { command: 'node dist/bench-ablation.js', model: 'lift-base', packages, steps, measured: [{ part, results }] };
}

test('a run rewrites the section of its model and number of packages, and leaves what else is written', async () => {
  await writeFile(file, '# What each part adds\n\nWritten by a person.\n');
  await writeAblation(file, run(['semver 7.8.6'], 100));
  await writeAblation(file, run(['semver 7.8.6', 'tar 7.5.22'], 120));
  await writeAblation(file, run(['semver 7.8.6'], 300));
  const page = await readFile(file, 'utf8');
  expect(page).toMatch(/^# What each part adds\n\nWritten by a person\.\n/);
  expect(page.match(/^## .*$/gm)).toEqual(['## lift-base', '## lift-base, 2 packages']);
  expect(page).toContain('semver 7.8.6: 300 steps');
  expect(page).toContain('semver 7.8.6, tar 7.5.22: 120 steps');
  expect(page).not.toContain('100 steps');
});

test('the packages of a row count together: probes as one, seconds as a sum', async () => {
  await writeAblation(file, run(['semver 7.8.6', 'tar 7.5.22'], 120));
  const [first] = evalResult.trainings;
  const row = (await readFile(file, 'utf8')).split('\n').find((line) => line.startsWith('| segments and questions'))!;
  expect(row.split(' | ').slice(-2)[0]).toBe((2 * first!.seconds).toFixed(0));
  expect(row).toContain('| 100.0 % (100 to 100) | – |');
});
