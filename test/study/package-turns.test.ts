import { expect, test } from 'vitest';
import type { AbsorbReport } from '../../native-host/study/absorb.ts';
import { inOrder, PackageProgress, type PackageTurn, shareOf } from '../../native-host/study/package-turns.ts';

function turn(name: string, tokenCount: number, toLearn = tokenCount, known = 0): PackageTurn {
  const documents = ['a.ts', 'b.ts'].map((file) => ({ path: `${name}/${file}` }));
  return {
    package: name,
    unlearned: toLearn,
    toLearn,
    known,
    dirty: 0,
    current: null,
    repository: { documents, tokenCount },
  } as unknown as PackageTurn;
}

test('what is at hand comes first, then what was changed lately, then the largest', () => {
  const turns = [turn('small', 10), turn('large', 90), turn('middle', 40), turn('open', 5), turn('changed', 1)];
  const names = (first: string[], recent: string[]) => inOrder(turns, first, recent).map((one) => one.package);
  expect(names([], [])).toEqual(['large', 'middle', 'small', 'open', 'changed']);
  expect(names(['open/b.ts'], ['gone.ts', 'changed/a.ts'])).toEqual(['open', 'changed', 'large', 'middle', 'small']);
  // One that is learned and was edited since takes seconds; one that is not learned yet does not.
  const learned = { version: 1, created: '', bytes: 1, sha256: '', note: { whole: true } };
  const edited = { ...turn('edited', 2, 1), current: learned };
  const unfinished = { ...turn('unfinished', 3, 1), current: { ...learned, note: { whole: false } } };
  const known = { ...turn('known', 4, 0), current: learned };
  const inTurn = inOrder([...turns, known, unfinished, edited], ['open/b.ts'], []).map((one) => one.package);
  expect(inTurn).toEqual(['edited', 'open', 'large', 'middle', 'small', 'known', 'unfinished', 'changed']);
  // A folder that is named, and one whose name only begins like it.
  expect(names(['small', 'op'], ['large/a.ts', 'changed/a.ts'])).toEqual([
    'small',
    'large',
    'changed',
    'middle',
    'open',
  ]);
});

test('time is shared by what there is to learn, and what one leaves goes to those after it', () => {
  const [one, two, three] = [turn('one', 100, 60), turn('two', 100, 30), turn('three', 100, 10)];
  expect(shareOf(20, 0, one, [two, three])).toEqual({ minutes: 12, of: 20 });
  expect(shareOf(20, 12, two, [three])).toEqual({ minutes: 6, of: 20 });
  expect(shareOf(20, 2, two, [three])).toEqual({ minutes: 13.5, of: 20 });
  expect(shareOf(20, 14, three, [])).toEqual({ minutes: 6, of: 20 });
  // Nothing to learn needs no time, and time that is spent is no less than none.
  expect(shareOf(20, 0, turn('known', 100, 0), [one]).minutes).toBe(0.01);
  expect(shareOf(20, 25, one, []).minutes).toBe(0.01);
});

test('reports of one package are told as reports of all', () => {
  const told: AbsorbReport[] = [];
  const [one, two] = [turn('one', 300, 300), turn('two', 100, 100, 0.4)];
  let milliseconds = 0;
  const progress = new PackageProgress(
    [one, two],
    (report) => told.push(report),
    () => milliseconds,
  );
  const report = {
    phase: 'train' as const,
    documents: 2,
    tokens: 300,
    steps: 5,
    step: 5,
    documentsSeen: 1,
    absorbed: 0.2,
  };
  const first = progress.of(one);
  milliseconds = 30_000;
  first({ ...report, done: 0.5, secondsLeft: 30 });
  // 0.2 of 300 tokens and 0.4 of 100; a third as many tokens follow, which take a third of a minute.
  expect(told[0]).toEqual({
    ...report,
    package: { folder: 'one', number: 1, of: 2 },
    documents: 4,
    tokens: 400,
    absorbed: 0.25,
    done: 0.375,
    secondsLeft: 50,
  });
  progress.ended(one, 0.8);
  expect(progress.absorbed).toBeCloseTo(0.7);
  progress.of(two)({ ...report, steps: 2, step: 2, absorbed: 0.1, done: 0.5, secondsLeft: 4 });
  // Until its version is there, what was known of it is.
  expect(told[1]).toMatchObject({
    package: { folder: 'two', number: 2, of: 2 },
    steps: 7,
    step: 7,
    documentsSeen: 3,
    done: 0.875,
    secondsLeft: 4,
  });
  expect(told[1]!.absorbed).toBeCloseTo(0.7);
});
