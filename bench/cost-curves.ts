// The curves of cost by length: what was measured, and what follows from it for the other lengths.
import type { Curve } from './cost-picture.ts';

/** In tokens. */
export const lengths = [1, 2, 4, 8, 16, 32, 64, 128].map((thousands) => 1024 * thousands);

export interface Cost {
  tokens: number;
  seconds: number;
  megabytes: number;
}

type Fit = (points: readonly { x: number; y: number }[]) => (x: number) => number;

export function curveOf(
  name: string,
  colour: string,
  costs: readonly Cost[],
  fitTime: Fit,
): { time: Curve; memory: Curve } {
  const curve = (value: (cost: Cost) => number, through: Fit): Curve => {
    const fitted = through(costs.map((cost) => ({ x: cost.tokens, y: value(cost) })));
    const points = lengths.map((x) => {
      const cost = costs.find(({ tokens }) => tokens === x);
      return cost === undefined ? { x, y: fitted(x), isMeasured: false } : { x, y: value(cost), isMeasured: true };
    });
    return { name, colour, points };
  };
  return { time: curve(({ seconds }) => seconds, fitTime), memory: curve(({ megabytes }) => megabytes, straight) };
}

export const proportional: Fit = (points) => {
  const last = points.at(-1)!;
  return (x) => (last.y * x) / last.x;
};

/** a · x + b · x² through the last two points. */
export const quadratic: Fit = (points) => {
  const [one, other] = points.slice(-2) as [(typeof points)[number], (typeof points)[number]];
  const b = (other.y / other.x - one.y / one.x) / (other.x - one.x);
  const a = one.y / one.x - b * one.x;
  return (x) => a * x + b * x * x;
};

/** Through the last two points. */
const straight: Fit = (points) => {
  const [one, other] = points.slice(-2) as [(typeof points)[number], (typeof points)[number]];
  const slope = Math.max(0, (other.y - one.y) / (other.x - one.x));
  return (x) => other.y + slope * (x - other.x);
};

/** Where one session's reading takes as long as training once. */
export function crossing(reads: Curve, trains: Curve): string {
  const at = lengths.findIndex((_, i) => reads.points[i]!.y >= trains.points[i]!.y);
  const before = at - 1;
  if (at < 0)
    return `Up to ${lengths.at(-1)! / 1024}k tokens, reading once takes less time than training; training pays when it saves several readings.`;
  if (before < 0) return 'Training takes less time than reading at every length.';
  const gap = (i: number) => Math.log(reads.points[i]!.y / trains.points[i]!.y);
  const share = gap(before) / (gap(before) - gap(at));
  const tokens = lengths[before]! * 2 ** share;
  return `The curves cross at about ${Math.round(tokens / 1024)}k tokens: beyond, training once takes less time than reading once.`;
}
