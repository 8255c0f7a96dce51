import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type PowerSupply,
  powerOfBatteryStatus,
  powerOfPmset,
  powerOfSupplies,
  readPowerSource,
  readSupplies,
} from '../../../src/power/power-source.ts';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A folder like /sys/class/power_supply. */
function supplies(entries: Record<string, Partial<Record<keyof PowerSupply, string>>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'lift-power-'));
  folders.push(folder);
  for (const [name, files] of Object.entries(entries)) {
    mkdirSync(join(folder, name));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, name, file), `${text}\n`);
  }
  return folder;
}

describe('on Linux', () => {
  it.each([
    ['battery', { AC: { type: 'Mains', online: '0' }, BAT0: { type: 'Battery', status: 'Discharging' } }],
    ['mains', { AC: { type: 'Mains', online: '1' }, BAT0: { type: 'Battery', status: 'Charging' } }],
    ['mains', { ucsi: { type: 'USB', online: '1' }, BAT0: { type: 'Battery', status: 'Discharging' } }],
    ['mains', { BAT0: { type: 'Battery', status: 'Full' } }],
    ['battery', { BAT0: { type: 'Battery', status: 'Full' }, BAT1: { type: 'Battery', status: 'Discharging' } }],
    ['unknown', { mouse: { type: 'Battery', scope: 'Device', status: 'Discharging' } }],
    ['unknown', {}],
  ])('is %s with %j', async (source, entries) => {
    expect(powerOfSupplies(await readSupplies(supplies(entries)))).toBe(source);
  });
});

describe('on macOS', () => {
  it.each([
    ['battery', "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1)\t83%; discharging; 4:10 remaining\n"],
    ['mains', "Now drawing from 'AC Power'\n -InternalBattery-0 (id=1)\t100%; charged; 0:00 remaining\n"],
    ['mains', "Now drawing from 'UPS Power'\n"],
    ['unknown', 'pmset: command failed'],
  ])('is %s', (source, output) => {
    expect(powerOfPmset(output)).toBe(source);
  });
});

describe('on Windows', () => {
  it.each([
    ['battery', '1\r\n'],
    ['mains', '2\r\n'],
    ['battery', '2\r\n5\r\n'],
    ['mains', '6\r\n'],
    ['unknown', ''],
    ['unknown', 'Get-CimInstance : Access denied\r\n'],
  ])('is %s', (source, output) => {
    expect(powerOfBatteryStatus(output)).toBe(source);
  });
});

it('is unknown where the system cannot be asked', async () => {
  expect(await readPowerSource('aix')).toBe('unknown');
  if (process.platform !== 'darwin') expect(await readPowerSource('darwin')).toBe('unknown');
});
