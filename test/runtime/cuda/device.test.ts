import { afterAll, describe, expect, test } from 'vitest';
import { add, scale } from '../../../native-host/graph/ops/elementwise.ts';
import { linear } from '../../../native-host/graph/ops/matmul.ts';
import { input } from '../../../native-host/graph/ops/source.ts';
import { float32 } from '../../../native-host/runtime/device.ts';
import { floats } from '../devices.ts';
import { openFakeCard } from './fake-driver.ts';

describe('a program on the emulated card', () => {
  const device = openFakeCard();
  afterAll(() => device.close());
  test('adds', async () => {
    const x = input('x', [2, 3]);
    const program = {
      name: 'add',
      outputs: { y: add(scale(x, 2), input('z', [2, 3])), w: linear(x, input('z', [2, 3])) },
    };
    const executable = await device.compile(program, { weights: new Map() });
    for (let i = 0; i < 4; i++) {
      const { host } = await executable.run({
        x: float32(Float32Array.of(1, 2, 3, 4, 5, 6 + i), [2, 3]),
        z: float32(Float32Array.of(1, 1, 1, 1, 1, 0.5), [2, 3]),
      });
      expect([...floats(host.y!)]).toEqual([3, 5, 7, 9, 11, 12.5 + 2 * i]);
      expect([...floats(host.w!)]).toEqual([6, 4.5, 15 + i, 12 + i / 2]);
    }
    await executable.release();
  });
});
