/** Whether the machine runs on its battery, as its system tells it. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export type PowerSource = 'battery' | 'mains' | 'unknown';

const longestAnswerMilliseconds = 10_000;
const linuxSupplies = '/sys/class/power_supply';

/** Never rejects: a system that does not tell is 'unknown'. */
export async function readPowerSource(platform: NodeJS.Platform = process.platform): Promise<PowerSource> {
  try {
    if (platform === 'linux') return powerOfSupplies(await readSupplies(linuxSupplies));
    if (platform === 'darwin') return powerOfPmset(await outputOf('pmset', ['-g', 'batt']));
    if (platform === 'win32') return powerOfBatteryStatus(await outputOf('powershell.exe', batteryStatusArguments));
  } catch {
    // A container without /sys, a system without these programs.
  }
  return 'unknown';
}

/** A folder of /sys/class/power_supply; null where it has no such file. */
export interface PowerSupply {
  type: string | null;
  /** `Device` for the battery of a mouse or a pen. */
  scope: string | null;
  status: string | null;
  online: string | null;
}

export async function readSupplies(folder: string): Promise<PowerSupply[]> {
  const names = await readdir(folder);
  return Promise.all(
    names.map(async (name) => {
      const read = (file: string) =>
        readFile(join(folder, name, file), 'utf8').then(
          (text) => text.trim(),
          () => null,
        );
      const [type, scope, status, online] = await Promise.all(['type', 'scope', 'status', 'online'].map(read));
      return { type: type ?? null, scope: scope ?? null, status: status ?? null, online: online ?? null };
    }),
  );
}

/** A laptop that is plugged in and still discharges, for want of watts, counts as plugged in. */
export function powerOfSupplies(supplies: readonly PowerSupply[]): PowerSource {
  const own = supplies.filter(({ scope }) => scope !== 'Device');
  const batteries = own.filter(({ type }) => type === 'Battery');
  if (own.some(({ type, online }) => type !== 'Battery' && online === '1')) return 'mains';
  if (batteries.some(({ status }) => status === 'Discharging')) return 'battery';
  return batteries.length > 0 ? 'mains' : 'unknown';
}

/** Of `pmset -g batt`, whose first line is such as: Now drawing from 'Battery Power' */
export function powerOfPmset(output: string): PowerSource {
  const source = /drawing from '([^']+)'/.exec(output)?.[1];
  if (source === undefined) return 'unknown';
  return source === 'Battery Power' ? 'battery' : 'mains';
}

const batteryStatusArguments = [
  '-NoProfile',
  '-NonInteractive',
  '-Command',
  '(Get-CimInstance -ClassName Win32_Battery).BatteryStatus',
];

/** Win32_Battery's BatteryStatus, a line for each battery: 1, 4 and 5 are on battery, low and critical; the others are plugged in. */
export function powerOfBatteryStatus(output: string): PowerSource {
  const states = output.split(/\s+/).filter((word) => /^\d+$/.test(word));
  if (states.length === 0) return 'unknown';
  return states.some((state) => ['1', '4', '5'].includes(state)) ? 'battery' : 'mains';
}

async function outputOf(program: string, programArguments: readonly string[]): Promise<string> {
  const options = { timeout: longestAnswerMilliseconds, windowsHide: true };
  return (await promisify(execFile)(program, programArguments, options)).stdout;
}
