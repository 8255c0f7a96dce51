/** What a card computes against the cpu backend's float32: ops and their gradients at sizes that fill tiles and end inside them. */
import { programFlops } from '../../native-host/bench/flops.ts';
import { grad } from '../../native-host/graph/grad.ts';
import { constant, input } from '../../native-host/graph/ops/source.ts';
import type { Value } from '../../native-host/graph/value.ts';
import { normalNumbers } from '../../native-host/model/random.ts';
import { type Device, float32, type HostTensor, type Program } from '../../native-host/runtime/device.ts';
import { type Case, cases } from './cases.ts';

export interface Comparison {
  name: string;
  /** ‖card − cpu‖ ÷ ‖cpu‖ of the worst output; not a number where the card gave an error or a number that is none. */
  error: number;
  allowed: number;
  /** What the card said instead. */
  failure?: string;
}

/**
 * A card rounds matrices to bfloat16, by up to 2⁻⁹ (0.2 %) a number. Roundings are independent, so that over a whole matrix
 * the error of a few of them stays below 1 %; a gradient goes through more.
 */
export const allowedErrors = { output: 0.01, gradient: 0.02 };

/** Cases of up to `mostFlops` operations. After an error the card is opened anew, so that the other cases still tell. */
export async function compareOps(openCard: () => Device, cpu: Device, mostFlops: number): Promise<Comparison[]> {
  const result: Comparison[] = [];
  let card = openCard();
  for (const one of cases()) {
    const program = programOf(one);
    if (programFlops(program).total > mostFlops) continue;
    const feeds = feedsOf(one);
    const wanted = await runOnce(cpu, program, feeds);
    let got: typeof wanted;
    try {
      got = await runOnce(card, program, feeds);
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error);
      result.push({ name: one.name, error: Number.NaN, allowed: allowedErrors.output, failure });
      await card.close().catch(() => undefined);
      card = openCard();
      continue;
    }
    for (const kind of ['output', 'gradient'] as const) {
      const names = Object.keys(program.outputs).filter((name) => name.startsWith(kind));
      if (names.length === 0) continue;
      const errors = names.map((name) => normError(got[name]!.data, wanted[name]!.data));
      result.push({ name: `${one.name}, ${kind}`, error: worst(errors), allowed: allowedErrors[kind] });
    }
  }
  await card.close();
  return result;
}

/** ‖got − wanted‖ ÷ ‖wanted‖; not a number where anything is none. */
export function normError(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < wanted.length; i++) {
    difference += (got[i]! - wanted[i]!) ** 2;
    size += wanted[i]! ** 2;
  }
  return got.length === wanted.length ? Math.sqrt(difference / Math.max(size, 1e-30)) : Number.NaN;
}

function worst(errors: readonly number[]): number {
  return errors.reduce((most, error) => (error <= most ? most : error), 0);
}

async function runOnce(device: Device, program: Program, feeds: Record<string, HostTensor>) {
  const executable = await device.compile(program, { weights: new Map() });
  const { host } = await executable.run(feeds);
  await executable.release();
  return host;
}

function programOf({ name, floats, gradients, integers = {}, output }: Case): Program {
  const inputs = Object.fromEntries([
    ...Object.entries(floats).map(([key, shape]) => [key, input(key, shape)] as const),
    ...Object.entries(integers).map(([key, { shape }]) => [key, input(key, shape, 'int32')] as const),
  ]);
  const made = output(inputs);
  const outputs: Record<string, Value> = { output: made };
  if (gradients.length > 0) {
    const shape = made.shape as number[];
    const seed = constant(randomNumbers(shape, 99), shape);
    const wanted = gradients.map((key) => inputs[key]!);
    grad(made, wanted, seed).forEach((value, i) => {
      outputs[`gradient of ${gradients[i]}`] = value;
    });
  }
  return { name, outputs };
}

function feedsOf({ floats, integers = {} }: Case): Record<string, HostTensor> {
  const feeds: Record<string, HostTensor> = { ...integers };
  Object.entries(floats).forEach(([key, shape], i) => {
    feeds[key] = float32(randomNumbers(shape, i + 1), shape);
  });
  return feeds;
}

function randomNumbers(shape: readonly number[], seed: number): Float32Array {
  const normal = normalNumbers(seed);
  return Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, () => normal());
}
