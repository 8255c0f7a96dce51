import { expect, it } from 'vitest';
import { AbsorptionQueue } from '../../../src/folders/absorption-queue.ts';

const forever = new AbortController().signal;

it('lets one in at a time, first come, first served', async () => {
  const queue = new AbsorptionQueue();
  const order: string[] = [];
  const enter = async (name: string) => {
    const leave = await queue.enter(forever);
    order.push(`${name} in`);
    await new Promise((resolve) => setImmediate(resolve));
    order.push(`${name} out`);
    leave();
  };
  await Promise.all(['a', 'b', 'c'].map(enter));
  expect(order).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
  expect(queue.isBusy).toBe(false);
});

it('goes on with the next when somebody who waits goes away', async () => {
  const queue = new AbsorptionQueue();
  const leave = await queue.enter(forever);
  const abort = new AbortController();
  const second = queue.enter(abort.signal);
  const third = queue.enter(forever);
  abort.abort(new Error('gone'));
  await expect(second).rejects.toThrow('gone');
  leave();
  leave();
  const leaveThird = await third;
  expect(queue.isBusy).toBe(true);
  leaveThird();
  expect(queue.isBusy).toBe(false);
  await expect(queue.enter(abort.signal)).rejects.toThrow('gone');
});
