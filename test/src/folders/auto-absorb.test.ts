import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { AutoAbsorber } from '../../../src/folders/auto-absorb.ts';
import type { AutoAbsorb } from '../../../src/settings.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it.each<[AutoAbsorb, number | null]>([
  ['off', null],
  ['onSave', 2000],
  ['afterDelay', 60_000],
])('with %s it refreshes after %s ms without a change', (rule, milliseconds) => {
  const refresh = vi.fn();
  const absorber = new AutoAbsorber(() => rule, refresh);
  absorber.noteChange();
  vi.advanceTimersByTime((milliseconds ?? 1e6) - 1);
  absorber.noteChange();
  vi.advanceTimersByTime((milliseconds ?? 1e6) - 1);
  expect(refresh).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(refresh).toHaveBeenCalledTimes(milliseconds === null ? 0 : 1);
  absorber.noteChange();
  absorber.dispose();
  vi.advanceTimersByTime(1e6);
  expect(refresh).toHaveBeenCalledTimes(milliseconds === null ? 0 : 1);
});
