/** Numbers as people read them, and as people write them. */
import { InvalidArgumentError } from 'commander';
import { count } from '../report/number-text.ts';

export { byteSize, count, counted, duration, percent } from '../report/number-text.ts';

/** A measured value: thousands without decimals, small ones with three digits that count. */
export function measured(value: number): string {
  if (!Number.isFinite(value)) return 'unknown';
  if (Math.abs(value) >= 1000) return count(value);
  return String(Number(value.toPrecision(4)));
}

/** For commander. Throws its InvalidArgumentError, which names the option and what was given. */
export function integerFrom(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^[+-]?\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
  };
}

/** As integerFrom. */
export function numberFrom(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Give a number from ${least} to ${most}.`);
  };
}

/** 500MB, 2.5 GB, 1000000: as bytes. */
export function bytesFrom(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(k|m|g|t)?i?b?$/i.exec(text.trim());
  if (match === null) throw new InvalidArgumentError('Give a size such as 500MB or 2GB.');
  return Math.round(Number(match[1]) * 1000 ** ' kmgt'.indexOf((match[2] ?? ' ').toLowerCase()));
}
