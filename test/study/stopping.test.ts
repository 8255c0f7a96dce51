import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AbsorbReport } from '../../native-host/study/absorb.ts';
import { probeRepository } from '../../native-host/study/probe.ts';
import { readRepository } from '../../native-host/study/repository.ts';
import { recipeFor } from '../../native-host/train/recipe.ts';
import { moduleText, StudyFixture, smallRepository, writeTo } from './study-fixture.ts';

let fixture: StudyFixture;

beforeAll(async () => {
  fixture = await StudyFixture.open();
});
afterAll(() => fixture.close());

/** So many modules that reading and parsing them take several slices of time. */
function largeRepository(): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: 400 }, (_, i) => [`src/module${i}.ts`, moduleText(`module${i}x`, i).repeat(4)]),
  );
}

test.each(['scan', 'questions'] as const)('a stop during the %s is no error, and leaves nothing', async (phase) => {
  const folder = await fixture.repository(`stopped-${phase}`, largeRepository());
  const stop = new AbortController();
  const phases: string[] = [];
  const onProgress = (report: AbsorbReport) => {
    phases.push(report.phase);
    if (report.phase !== phase) return;
    stop.abort();
  };
  const outcome = await fixture.absorb(folder, { epochs: 1 }, { signal: stop.signal, onProgress });
  expect(phases.at(-1)).toBe(phase);
  expect(outcome).toMatchObject({ end: 'cancelled', steps: 0, trainedTokens: 0, version: null, absorbed: 0 });
  expect(await fixture.adapter(folder).lockedBy()).toBeNull();
  expect(await fixture.adapter(folder).manifest()).toBeNull();
});

test('a measurement that is stopped is an error, not a lower score', async () => {
  const folder = await fixture.repository('probed', smallRepository());
  await fixture.absorb(folder, { epochs: 1 });
  const repository = await readRepository(folder, fixture.model.tokenizer, null);
  const adapter = (await fixture.adapter(folder).loadVersion())!;
  const { device, model } = fixture;
  for (const milliseconds of [0, 50, 400]) {
    const signal = AbortSignal.timeout(milliseconds);
    const probing = probeRepository(device, model, adapter, repository, 20, signal);
    const score = await probing.catch((error: unknown) => error);
    // Fast enough, it was over before.
    if (signal.aborted) expect(score).toBe(signal.reason);
  }
});

test('what is asked for bounds a refresh, and does not make it longer than it has to be', async () => {
  const folder = await fixture.repository('edited', smallRepository());
  await fixture.absorb(folder, { epochs: 2 });
  await writeTo(join(folder, 'src/alpha.ts'), moduleText('alpha', 4242));
  let epochs = 0;
  const onProgress = ({ epoch = 0 }: AbsorbReport) => {
    epochs = Math.max(epochs, epoch + 1);
  };
  const refreshed = await fixture.absorb(folder, { epochs: 900, minutes: 90 }, { onProgress });
  expect(['saturated', 'budget']).toContain(refreshed.end);
  const { parameters, config } = fixture.model;
  expect(epochs).toBeLessThanOrEqual(recipeFor(parameters, config.maxPositionEmbeddings).refreshBudget.epochs);
  expect(refreshed.seconds).toBeLessThan(60);
});

test('a refresh that was stopped after its first epoch goes on from its steps, and begins that epoch again', async () => {
  const folder = await fixture.repository('refreshed', smallRepository());
  await fixture.absorb(folder, { epochs: 2 });
  await writeTo(join(folder, 'src/alpha.ts'), moduleText('alpha', 4242));
  const stop = new AbortController();
  let stoppedIn = 0;
  const stopped = await fixture.absorb(
    folder,
    { epochs: 6 },
    {
      signal: stop.signal,
      onProgress: ({ epoch = 0 }) => {
        if (epoch < 2) return;
        stoppedIn = epoch;
        stop.abort();
      },
    },
  );
  expect(stopped.end).toBe('cancelled');
  const epochs: number[] = [];
  const onProgress = ({ epoch, phase, steps }: AbsorbReport) => {
    if (phase === 'train') epochs.push(epoch!, steps);
  };
  const { end, dirty } = await fixture.absorb(folder, { epochs: 6 }, { onProgress });
  expect(['saturated', 'budget']).toContain(end);
  expect(dirty).toBe(0);
  expect(epochs.slice(0, 2)).toEqual([stoppedIn, stopped.steps + 1]);
});
