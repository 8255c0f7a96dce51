import { beforeEach, expect, it, vi } from 'vitest';
import { othersNeedMachine } from '../../../src/power/machine-load.ts';
import type { PowerSource } from '../../../src/power/power-source.ts';
import type { PowerRule } from '../../../src/settings.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

const { AbsorptionHold } = await import('../../../src/power/absorption-hold.ts');

const machine = { rule: 'considerate' as PowerRule, power: 'mains' as PowerSource, load: 1 };
const hold = () =>
  new AbsorptionHold({
    rule: () => machine.rule,
    power: async () => machine.power,
    load: () => machine.load,
    cores: 4,
  });

beforeEach(() => {
  Object.assign(machine, { rule: 'considerate', power: 'mains', load: 1 });
});

it('takes the host’s own threads for no reason to rest, and rests until the others are done', () => {
  expect(othersNeedMachine(4.5, 4, false)).toBe(false);
  expect(othersNeedMachine(9, 4, false)).toBe(true);
  expect(othersNeedMachine(5, 4, true)).toBe(true);
  expect(othersNeedMachine(2, 4, true)).toBe(false);
  // Windows does not tell.
  expect(othersNeedMachine(0, 4, false)).toBe(false);
});

it.each<[PowerRule, Partial<typeof machine>, RegExp | null]>([
  ['considerate', {}, null],
  ['considerate', { power: 'battery' }, /battery/],
  ['considerate', { load: 20 }, /busy/],
  ['considerate', { power: 'unknown' }, null],
  ['pluggedIn', { power: 'battery' }, /battery/],
  ['pluggedIn', { load: 20 }, null],
  ['always', { power: 'battery', load: 20 }, null],
])('with %s and %j it says %s', async (rule, state, reason) => {
  Object.assign(machine, state, { rule });
  const tested = hold();
  await tested.look();
  if (reason === null) expect(tested.reason).toBeNull();
  else expect(tested.reason).toMatch(reason);
});

it('looks again while somebody absorbs, tells changes once, and then stops looking', async () => {
  vi.useFakeTimers();
  try {
    const tested = hold();
    const reasons: (string | null)[] = [];
    tested.onDidChange(() => reasons.push(tested.reason));
    const first = tested.watch();
    const second = tested.watch();
    await vi.advanceTimersByTimeAsync(16_000);
    machine.power = 'battery';
    await vi.advanceTimersByTimeAsync(60_000);
    machine.power = 'mains';
    await vi.advanceTimersByTimeAsync(60_000);
    expect(reasons).toEqual([expect.stringContaining('battery'), null]);
    first.dispose();
    first.dispose();
    expect(vi.getTimerCount()).toBe(1);
    second.dispose();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
