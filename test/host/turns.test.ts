import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Turns } from '../../native-host/turns.ts';

/** Work that ends when the test says so. */
function work(log: string[], name: string) {
  let resolve: (value: string) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<string>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  const start = () => {
    log.push(name);
    return promise;
  };
  return { start, end: () => resolve(name), fail: () => reject(new Error(name)) };
}

test('one after another, also after one that failed', async () => {
  const log: string[] = [];
  const turns = new Turns();
  const [first, second] = [work(log, 'first'), work(log, 'second')];
  const failed = turns.take(first.start).catch((error: Error) => error.message);
  const answer = turns.take(second.start);
  await setImmediate();
  expect(log).toEqual(['first']);
  first.fail();
  expect(await failed).toBe('first');
  await setImmediate();
  expect(log).toEqual(['first', 'second']);
  second.end();
  expect(await answer).toBe('second');
});

test('other work waits for all of them, those included that come while it waits', async () => {
  const log: string[] = [];
  const turns = new Turns();
  await turns.untilIdle();
  const [first, second] = [work(log, 'first'), work(log, 'second')];
  void turns.take(first.start);
  const idle = turns.untilIdle(new AbortController().signal).then(() => log.push('idle'));
  void turns.take(second.start);
  first.end();
  await setImmediate();
  expect(log).toEqual(['first', 'second']);
  second.end();
  await idle;
  expect(log).toEqual(['first', 'second', 'idle']);
});

test('who waits may be stopped', async () => {
  const turns = new Turns();
  const endless = work([], 'endless');
  void turns.take(endless.start);
  const stop = new AbortController();
  const waiting = turns.untilIdle(stop.signal);
  stop.abort();
  await waiting;
  await turns.untilIdle(AbortSignal.abort());
});
