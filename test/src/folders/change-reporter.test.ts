import { expect, it } from 'vitest';
import type { FileChange } from '../../../protocol/host.ts';
import { ChangeReporter } from '../../../src/folders/change-reporter.ts';

function setUp() {
  const sent: { changes: FileChange[]; answer: (dirty: number) => void; fail: (error: Error) => void }[] = [];
  const dirty: number[] = [];
  const errors: unknown[] = [];
  const host = { ready: true };
  const reporter = new ChangeReporter({
    isHostReady: () => host.ready,
    send: (changes) => new Promise((answer, fail) => sent.push({ changes, answer, fail })),
    onDirty: (count) => dirty.push(count),
    onError: (error) => errors.push(error),
  });
  return { reporter, sent, dirty, errors, host };
}

const changed = (path: string, text?: string): FileChange => ({
  path,
  kind: 'changed',
  ...(text === undefined ? {} : { text }),
});
const settle = () => new Promise((resolve) => setImmediate(resolve));

it('tells one message at a time, of each path what is newest', async () => {
  const { reporter, sent, dirty } = setUp();
  reporter.add([changed('a', '1'), changed('b')]);
  reporter.add([changed('a', '2')]);
  await settle();
  expect(sent.map(({ changes }) => changes)).toEqual([[changed('a', '2'), changed('b')]]);
  reporter.add([changed('c'), { path: 'b', kind: 'removed' }]);
  await settle();
  expect(sent).toHaveLength(1);
  sent[0]!.answer(2);
  await settle();
  expect(dirty).toEqual([2]);
  expect(sent[1]!.changes).toEqual([changed('c'), { path: 'b', kind: 'removed' }]);
});

it('starts no host: what is not told waits for one', async () => {
  const { reporter, sent, host } = setUp();
  host.ready = false;
  reporter.add([changed('a')]);
  await settle();
  expect(sent).toEqual([]);
  host.ready = true;
  void reporter.flush();
  await settle();
  expect(sent[0]!.changes).toEqual([changed('a')]);
});

it('tells again what failed, unless something newer is known', async () => {
  const { reporter, sent, errors } = setUp();
  reporter.add([changed('a', 'old'), changed('b')]);
  await settle();
  reporter.add([changed('a', 'new')]);
  sent[0]!.fail(new Error('the host ended'));
  await settle();
  expect(errors).toHaveLength(1);
  void reporter.flush();
  await settle();
  expect(sent[1]!.changes).toEqual([changed('a', 'new'), changed('b')]);
});

it('cuts a flood into messages that are not too large', async () => {
  const { reporter, sent } = setUp();
  reporter.add(Array.from({ length: 45_000 }, (_, index) => changed(`file-${index}`)));
  for (let message = 0; message < 3; message++) {
    await settle();
    sent[message]!.answer(message);
  }
  await reporter.flush();
  expect(sent.map(({ changes }) => changes.length)).toEqual([20_000, 20_000, 5000]);
});
