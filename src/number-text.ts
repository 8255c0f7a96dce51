/** Numbers as people read them. */

/** 1,204 */
export function countText(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** A fraction as whole percents, rounded down as the page does; neither all nor nothing is said unless it is so. */
export function percentText(fraction: number): string {
  const percent = Math.floor(fraction * 100 + 1e-9);
  if (fraction > 0 && percent === 0) return '< 1 %';
  return `${percent} %`;
}

/** 12.3 MB; powers of 1000. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** 40 s, 2 min 10 s, 3 h 5 min, 2 d 4 h; what is long is rounded. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 600) return parts(Math.floor(whole / 60), 'min', whole % 60, 's');
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 24 * 60) return parts(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(minutes / 60);
  return parts(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function parts(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}
