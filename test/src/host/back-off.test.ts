import { expect, it } from 'vitest';
import { BackOff } from '../../../src/host/back-off.ts';

const minute = 60_000;

it('waits longer after each crash, and gives up when there are too many', () => {
  const backOff = new BackOff();
  expect([0, 1, 2, 3, 4].map((second) => backOff.crashed(second * 1000))).toEqual([500, 1000, 2000, 4000, 8000]);
  expect(backOff.crashed(5000)).toBeNull();
});

it('never waits longer than half a minute, and forgets crashes of long ago', () => {
  const backOff = new BackOff();
  for (let crash = 0; crash < 20; crash++) expect(backOff.crashed(crash * 2 * minute)).toBeLessThanOrEqual(30_000);
  expect(backOff.crashed(60 * minute)).toBe(500);
});

it('begins anew once it is told to forget', () => {
  const backOff = new BackOff();
  for (let crash = 0; crash < 6; crash++) backOff.crashed(crash);
  backOff.forget();
  expect(backOff.crashed(10)).toBe(500);
});
