// Numbers as people read them.
import { word } from './words.ts';

const locale = () => document.documentElement.lang || 'en';

export function count(value: number): string {
  return new Intl.NumberFormat(locale()).format(value);
}

/** Rounded down, so that 100 % means all of it. `share` is 0–1. */
export function percent(share: number): string {
  return `${Math.floor(Math.min(1, Math.max(0, share)) * 100 + 1e-9)} %`;
}

export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = value;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${new Intl.NumberFormat(locale(), { maximumFractionDigits: size < 10 && unit > 0 ? 1 : 0 }).format(size)} ${units[unit]}`;
}

export function timeLeft(seconds: number): string {
  if (seconds < 60) return word('less than a minute left');
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return minutes === 1 ? word('1 minute left') : word('{0} minutes left', minutes);
  return word('{0} hours left', count(Math.round(minutes / 6) / 10));
}

/** How long ago, from an ISO 8601 time; as it is written where it is none. */
export function ago(iso: string, now = Date.now()): string {
  const seconds = (Date.parse(iso) - now) / 1000;
  if (Number.isNaN(seconds)) return iso;
  const format = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' });
  const steps: [Intl.RelativeTimeFormatUnit, number][] = [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
  ];
  for (const [unit, length] of steps) {
    if (Math.abs(seconds) >= length) return format.format(Math.round(seconds / length), unit);
  }
  return word('just now');
}

export function lines(startLine: number | null, endLine: number | null): string {
  if (startLine === null) return '';
  return endLine === null || endLine === startLine ? `:${startLine}` : `:${startLine}–${endLine}`;
}

export function changedFiles(number: number): string {
  return number === 1 ? word('1 file changed') : word('{0} files changed', count(number));
}

export function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
