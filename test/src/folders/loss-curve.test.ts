import { expect, it } from 'vitest';
import { LossCurve } from '../../../src/folders/loss-curve.ts';

it('keeps few points as they are', () => {
  const curve = new LossCurve();
  for (let step = 1; step <= 150; step++) curve.add(step, 1 / step);
  expect(curve.all()).toHaveLength(150);
  expect(curve.all()[9]).toEqual({ step: 10, loss: 0.1 });
});

it('never has more than 200 points, in order, over the whole course, with the level that the loss had', () => {
  const curve = new LossCurve();
  for (let step = 1; step <= 123_457; step++) {
    curve.add(step, step <= 60_000 ? 4 : 1);
    if (step % 1000 === 0) expect(curve.all().length).toBeLessThanOrEqual(200);
  }
  const points = curve.all();
  expect(points.length).toBeGreaterThan(90);
  expect(points.at(-1)!.step).toBe(123_457);
  expect(points.every(({ step }, index) => index === 0 || step > points[index - 1]!.step)).toBe(true);
  expect(points[0]!.loss).toBe(4);
  expect(points.at(-1)!.loss).toBe(1);
  const high = points.filter(({ loss }) => loss === 4).length;
  expect(high / points.length).toBeCloseTo(60_000 / 123_457, 1);
});

it('replaces what is trained again after a crash', () => {
  const curve = new LossCurve();
  for (let step = 1; step <= 10; step++) curve.add(step, 5);
  for (let step = 7; step <= 12; step++) curve.add(step, 3);
  expect(curve.all().map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  expect(curve.all()[6]).toEqual({ step: 7, loss: 3 });
});
