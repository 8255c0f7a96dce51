import { beforeEach, describe, expect, it } from 'vitest';
import { type AbsorbResult, HostErrorCode } from '../../../protocol/host.ts';
import { AbsorptionQueue } from '../../../src/folders/absorption-queue.ts';
import { AbsorptionRun } from '../../../src/folders/absorption-run.ts';
import { HostError, HostUnavailableError } from '../../../src/host/host-errors.ts';

const result: AbsorbResult = {
  documents: 3,
  tokens: 300,
  steps: 10,
  trainedTokens: 1000,
  seconds: 5,
  version: 1,
  skipped: [],
  end: 'saturated',
  absorbed: 0.9,
  dirty: 0,
};

interface Attempt {
  signal: AbortSignal;
  finish(): void;
  fail(error: Error): void;
}

let queue: AbsorptionQueue;

beforeEach(() => {
  queue = new AbsorptionQueue();
});

function setUp(name = 'a', options: { isPaused?: boolean; agrees?: boolean } = {}) {
  const attempts: Attempt[] = [];
  const told: string[] = [];
  const sent: string[] = [];
  const hold = { reason: null as string | null };
  const run = new AbsorptionRun({
    queue,
    holdReason: () => hold.reason,
    absorb: (signal) =>
      new Promise((resolve, reject) => {
        const finish = () => resolve(result);
        signal.addEventListener('abort', () => resolve({ ...result, end: 'cancelled' }));
        attempts.push({ signal, finish, fail: reject });
      }),
    pause: async () => void sent.push('pause'),
    resume: async () => void sent.push('resume'),
    agrees: async () => options.agrees ?? true,
    tell: (phase, message) => told.push(message === null ? phase : `${phase}: ${message}`),
    words: { restarting: 'restarting', elsewhere: 'elsewhere' },
    elsewhereMilliseconds: 1,
  });
  if (options.isPaused) void run.pause();
  const ended = run.run().then(
    (end) => end,
    (error: Error) => error,
  );
  return { name, run, ended, attempts, told, sent, hold };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

describe('an absorption', () => {
  it('trains and ends', async () => {
    const { ended, attempts, told } = setUp();
    await settle();
    attempts[0]!.finish();
    expect(await ended).toEqual({ kind: 'done', result });
    expect(told).toEqual(['busy']);
    expect(queue.isBusy).toBe(false);
  });

  it('does not begin where the user does not want it', async () => {
    const { ended, attempts } = setUp('a', { agrees: false });
    expect(await ended).toEqual({ kind: 'declined' });
    expect(attempts).toEqual([]);
  });

  it('rejects with what the host says is wrong, and leaves its turn to others', async () => {
    const { ended, attempts } = setUp();
    await settle();
    attempts[0]!.fail(new HostError('the disk is full', -32603));
    expect(await ended).toMatchObject({ message: 'the disk is full' });
    expect(queue.isBusy).toBe(false);
  });
});

describe('when the host crashes', () => {
  it('asks again, and says so', async () => {
    const { ended, attempts, told } = setUp();
    await settle();
    attempts[0]!.fail(new HostUnavailableError('ended', true));
    await settle();
    expect(attempts).toHaveLength(2);
    attempts[1]!.finish();
    expect(await ended).toMatchObject({ kind: 'done' });
    expect(told).toEqual(['busy', 'busy: restarting']);
  });

  it('gives up where there is no host to be had', async () => {
    const { ended, attempts } = setUp();
    await settle();
    attempts[0]!.fail(new HostUnavailableError('failed for good', false));
    expect(await ended).toMatchObject({ message: 'failed for good' });
    expect(attempts).toHaveLength(1);
  });

  it('stays paused if it was', async () => {
    const { run, attempts, told } = setUp();
    await settle();
    await run.pause();
    attempts[0]!.fail(new HostUnavailableError('ended', true));
    await settle();
    expect(attempts).toHaveLength(1);
    expect(told.at(-1)).toBe('paused');
    await run.resume();
    await settle();
    expect(attempts).toHaveLength(2);
  });
});

describe('while another window absorbs', () => {
  it('waits outside of its turn and asks again', async () => {
    const { ended, attempts, told } = setUp();
    await settle();
    attempts[0]!.fail(new HostError('locked', HostErrorCode.locked));
    await settle();
    await settle();
    expect(told.slice(0, 2)).toEqual(['busy', 'elsewhere: elsewhere']);
    attempts.at(-1)!.finish();
    expect(await ended).toMatchObject({ kind: 'done' });
  });
});

describe('pausing and stopping', () => {
  it('pauses and goes on where it was, once', async () => {
    const { run, ended, attempts, told, sent } = setUp();
    await settle();
    await Promise.all([run.pause(), run.pause()]);
    expect(sent).toEqual(['pause']);
    expect(told.at(-1)).toBe('paused');
    await run.resume();
    expect(sent).toEqual(['pause', 'resume']);
    expect(told.at(-1)).toBe('busy');
    attempts[0]!.finish();
    expect(await ended).toMatchObject({ kind: 'done' });
  });

  it('does not begin before it is resumed, where it is paused first', async () => {
    const { run, attempts, told } = setUp('a', { isPaused: true });
    await settle();
    expect(attempts).toEqual([]);
    expect(told).toEqual(['paused']);
    await run.resume();
    await settle();
    expect(attempts).toHaveLength(1);
  });

  it('stops what trains and keeps what came out of it', async () => {
    const { run, ended, attempts } = setUp();
    await settle();
    run.stop();
    expect(attempts[0]!.signal.aborted).toBe(true);
    expect(await ended).toMatchObject({ kind: 'done', result: { end: 'cancelled' } });
  });

  it.each(['paused', 'held', 'waiting', 'elsewhere'])('stops while %s', async (how) => {
    const others = how === 'waiting' ? [setUp('first')] : [];
    await settle();
    const { run, ended, attempts, hold } = setUp('a', { isPaused: how === 'paused' });
    if (how === 'held') hold.reason = 'battery';
    await settle();
    if (how === 'elsewhere') attempts[0]!.fail(new HostError('locked', HostErrorCode.locked));
    run.stop();
    expect(await ended).toMatchObject({ kind: expect.stringMatching(/stopped|done/) });
    for (const other of others) {
      other.attempts[0]!.finish();
      await other.ended;
    }
    expect(queue.isBusy).toBe(false);
  });
});

describe('turns', () => {
  it('are taken one after another, and given to others while paused', async () => {
    const a = setUp('a');
    await settle();
    const b = setUp('b');
    await settle();
    expect(b.told).toEqual(['waiting']);
    expect(b.attempts).toEqual([]);
    await a.run.pause();
    await settle();
    expect(b.attempts).toHaveLength(1);
    const resumed = a.run.resume();
    await settle();
    expect(a.told.at(-1)).toBe('waiting');
    expect(a.sent).toEqual(['pause']);
    b.attempts[0]!.finish();
    await b.ended;
    await resumed;
    expect(a.sent).toEqual(['pause', 'resume']);
    expect(a.told.at(-1)).toBe('busy');
  });

  it('can be paused while waiting', async () => {
    const a = setUp('a');
    await settle();
    const b = setUp('b');
    await settle();
    await b.run.pause();
    await settle();
    expect(b.told.at(-1)).toBe('paused');
    a.attempts[0]!.finish();
    await a.ended;
    await settle();
    expect(b.attempts).toEqual([]);
    await b.run.resume();
    await settle();
    expect(b.attempts).toHaveLength(1);
  });
});

describe('while the machine should rest', () => {
  it('pauses with the reason and goes on by itself, keeping its turn', async () => {
    const { run, told, sent, hold } = setUp();
    await settle();
    hold.reason = 'on battery';
    await run.reconsider();
    expect(told.at(-1)).toBe('paused: on battery');
    expect(queue.isBusy).toBe(true);
    hold.reason = null;
    await run.reconsider();
    expect(sent).toEqual(['pause', 'resume']);
    expect(told.at(-1)).toBe('busy');
  });

  it('does not begin, until the user wants it all the same', async () => {
    const { run, attempts, told, hold } = setUp();
    hold.reason = 'on battery';
    await settle();
    expect(attempts).toEqual([]);
    expect(told).toEqual(['paused: on battery']);
    await run.resume();
    await settle();
    expect(attempts).toHaveLength(1);
    await run.reconsider();
    expect(told.at(-1)).toBe('busy');
  });
});
