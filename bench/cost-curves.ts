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

/** Where reading a text once takes as much as training it, in time and in memory, and how many readings a training is. */
export function crossings(read: readonly Cost[], trained: readonly Cost[]): string {
  const points = (costs: readonly Cost[], value: (cost: Cost) => number) =>
    costs.map((cost) => ({ x: cost.tokens, y: value(cost) }));
  const seconds = (cost: Cost) => cost.seconds;
  const megabytes = (cost: Cost) => cost.megabytes;
  const readTime = quadratic(points(read, seconds));
  const trainTime = proportional(points(trained, seconds));
  const time = firstWhere((tokens) => readTime(tokens) >= trainTime(tokens));
  const readMemory = straight(points(read, megabytes));
  const trainMemory = straight(points(trained, megabytes));
  const memory = firstWhere((tokens) => readMemory(tokens) >= trainMemory(tokens));
  const longest = read.at(-1)!.tokens;
  const readings = Math.round(trainTime(longest) / readTime(longest));
  const at = (tokens: number | null) =>
    tokens === null ? 'nowhere' : `from about ${Math.round(tokens / 1024)}k tokens on`;
  return (
    `Reading once takes longer than training once ${at(time)}, and more memory ${at(memory)}, by these curves. ` +
    `At ${longest / 1024}k tokens, the longest text that was read here, training takes as long as ${readings} readings.`
  );
}

const longestSought = 64 * 1024 * 1024;

/** Tokens, to within a hundredth; null where there are none up to many. */
function firstWhere(isReached: (tokens: number) => boolean): number | null {
  for (let tokens = lengths[0]!; tokens <= longestSought; tokens *= 1.01) if (isReached(tokens)) return tokens;
  return null;
}
