// The table that the device launches from says the same as the sources: every kernel, and every parameter's kind.
import { expect, test } from 'vitest';
import {
  type KernelName,
  kernelParameters,
  kernelTable,
  launch,
} from '../../../../native-host/runtime/cuda/kernel-table.ts';
import { EmulatedKernels } from './emulated-kernels.ts';

const emulated = new EmulatedKernels();

test('the table has the kernels of the sources, with their parameters', () => {
  const table = Object.keys(kernelTable).map((name): [string, string] => [
    name,
    kernelParameters(name as KernelName)
      .map(({ kind }) => kind)
      .join(''),
  ]);
  expect(Object.fromEntries(table)).toEqual(Object.fromEntries(emulated.signatures()));
});

test('a launch without one of its arguments says which', () => {
  const given = { out: null, outType: 0, value: 1 } as unknown as Parameters<typeof launch<'fill', bigint>>[2];
  expect(() => launch('fill', [1, 1, 1], given)).toThrow("kernel 'fill' wants an argument 'count'");
});

test('a launch of no blocks is refused', () => {
  expect(() => launch('fill', [0, 1, 1], { out: null, outType: 0, value: 1, count: 0 })).toThrow('empty grid');
});
