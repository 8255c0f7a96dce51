export interface BenchRow {
  name: string;
  value: number;
  unit: string;
}

export interface BenchOptions {
  /** A name in shapes.ts. */
  shape: string;
  device: 'cpu' | 'webgpu';
  workerFile: URL;
  /** Takes the random weights, which later runs use again. */
  cacheFolder: string;
  /** Training computes each layer a second time for the gradient. Otherwise it does where memory is too short. */
  recompute?: boolean;
  signal?: AbortSignal;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Most memory that this process has held at once, mapped weights included, in MB. */
export function peakMegabytes(): number {
  return process.resourceUsage().maxRSS / 1000;
}
