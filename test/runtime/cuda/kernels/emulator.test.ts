// The emulator finds the mistakes that it is there to find.
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { EmulatedKernels, emulatedLibrary, orders } from './emulated-kernels.ts';

const mistakes = fileURLToPath(new URL('./mistakes.cu', import.meta.url));
const kernels = new EmulatedKernels(emulatedLibrary(mistakes));
afterEach(() => kernels.freeAll());

const shape = { grid: [1, 1, 1], threads: 64, sharedBytes: 1024 };

/** The output of a kernel in each order. */
function outputs(kernel: string, careful: boolean): number[][] {
  return orders.map((order) => {
    kernels.setOrder(order);
    const out = kernels.empty(256);
    const inputs = kernel === 'copied' ? [kernels.put(Float32Array.from({ length: 256 }, (_, i) => i))] : [];
    const kinds = [...inputs.map(() => 'p'), 'p', 'i'];
    kernels.launch(kernel, shape, kinds, [...inputs, out, careful ? 1 : 0]);
    return [...kernels.numbers(out, 'float32')].slice(0, kernel === 'copied' ? 256 : 64);
  });
}

test('a missing barrier shows as results that depend on the order of threads', () => {
  const wanted = Array.from({ length: 64 }, (_, i) => (i + 1) % 64);
  expect(outputs('neighbour', true)).toEqual([wanted, wanted, wanted]);
  const [forward, backward] = outputs('neighbour', false);
  expect(forward).not.toEqual(wanted);
  expect(forward).not.toEqual(backward);
});

test('a copy that nobody waited for has not arrived', () => {
  const wanted = Array.from({ length: 256 }, (_, i) => i);
  expect(outputs('copied', true)).toEqual([wanted, wanted, wanted]);
  expect(outputs('copied', false)[0]!.every(Number.isNaN)).toBe(true);
});

test('threads that wait for each other in different places are an error', () => {
  const out = kernels.empty(64);
  expect(() => kernels.launch('apart', shape, ['p'], [out])).toThrow('threads wait for others that never come');
  expect(() => kernels.launch('mixed', shape, ['p'], [out])).toThrow('threads of one warp are at different operations');
});

test('memory outside the buffers is an error that names the kernel, the block and the thread', () => {
  const out = kernels.empty(64);
  const message = 'beyond, block (0, 0, 0), thread 0: memory outside every buffer was touched';
  expect(() => kernels.launch('beyond', shape, ['p', 'i'], [out, 64])).toThrow(message);
  expect(() => kernels.launch('beyondShared', shape, ['p'], [out])).toThrow('memory outside every buffer was touched');
});

test('a kernel that is not there, and a block that no card takes, are errors', () => {
  expect(() => kernels.launch('absent', shape, [], [])).toThrow("there is no kernel 'absent'");
  const out = kernels.empty(64);
  expect(() => kernels.launch('apart', { ...shape, threads: 2048 }, ['p'], [out])).toThrow('1 to 1024 threads');
});
