import { expect, it } from 'vitest';
import type { AbsorbProgress } from '../../../protocol/host.ts';
import { ProgressTrack } from '../../../src/folders/progress-track.ts';

function report(more: Partial<AbsorbProgress>): AbsorbProgress {
  return {
    folder: '/f',
    phase: 'train',
    documents: 10,
    tokens: 1000,
    step: 1,
    steps: 1,
    loss: 2,
    tokensPerSecond: 100,
    absorbed: 0,
    secondsLeft: null,
    documentsSeen: 3,
    ...more,
  };
}

it('cannot tell a share before the host knows how long it takes', () => {
  const track = new ProgressTrack();
  expect(track.next(report({ phase: 'scan' }), 0).done).toBeNull();
  expect(track.next(report({}), 1)).toEqual({
    phase: 'train',
    step: 1,
    documentsSeen: 3,
    loss: 2,
    tokensPerSecond: 100,
    secondsLeft: null,
    done: null,
  });
});

it('is not done before the last package is, and says whose turn it is', () => {
  const track = new ProgressTrack();
  const first = { folder: 'packages/a', number: 1, of: 2 };
  track.next(report({ secondsLeft: 3, package: first }), 0);
  expect(track.next(report({ secondsLeft: 3, package: first }), 1)).toMatchObject({
    done: 0.25,
    package: 'packages/a',
  });
  expect(track.next(report({ phase: 'save', package: first }), 2).done).toBe(0.25);
  expect(track.next(report({ phase: 'save', package: { folder: '.', number: 2, of: 2 } }), 3)).toMatchObject({
    done: 1,
    package: '.',
  });
});

it('never goes back, and takes a long silence for no work', () => {
  const track = new ProgressTrack();
  track.next(report({ secondsLeft: 9 }), 0);
  expect(track.next(report({ secondsLeft: 3 }), 1).done).toBe(0.25);
  expect(track.next(report({ secondsLeft: 100 }), 2).done).toBe(0.25);
  // An hour of sleep counts as five seconds.
  expect(track.next(report({ secondsLeft: 7 }), 3602).done).toBe(0.5);
  expect(track.next(report({ phase: 'measure' }), 3603).done).toBe(0.5);
  expect(track.next(report({ phase: 'save' }), 3604).done).toBe(1);
});
