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
