import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { openAbsorbProgress, progressText } from '../../native-host/cli/absorb-progress.ts';
import type { AbsorbReport } from '../../native-host/study/absorb.ts';

const corpus = { documents: 3, tokens: 4200, documentsSeen: 0 };
const scan: AbsorbReport = { phase: 'scan', documents: 0, tokens: 0, steps: 0, absorbed: 0, documentsSeen: 0 };
const training: AbsorbReport = {
  ...corpus,
  phase: 'train',
  epoch: 2,
  step: 40,
  steps: 40,
  loss: 2.134,
  tokensPerSecond: 3412.4,
  done: 0.43,
  secondsLeft: 130,
  recall: 0.61,
  absorbed: 0.61,
};

function output(terminal: boolean, columns = 100) {
  const stream = Object.assign(new PassThrough(), terminal ? { isTTY: true, columns } : {});
  const text = () => String(stream.read() ?? '');
  return { stream, text };
}

describe('progressText', () => {
  it('says phase, epoch, loss, absorbed share, speed and time left', () => {
    expect(progressText(training)).toBe('training  epoch 3  loss 2.13  absorbed 61 %  3,412 tokens/s  2 min 10 s left');
  });

  it('leaves out what is not known yet', () => {
    const first = { ...training, loss: Number.NaN, tokensPerSecond: Number.NaN, secondsLeft: Number.NaN, absorbed: 0 };
    expect(progressText(first)).toBe('training  epoch 3');
    expect(progressText(scan)).toBe('reading files');
    expect(progressText({ ...corpus, phase: 'questions', steps: 0, absorbed: 0 })).toBe(
      'making questions  3 documents, 4,200 tokens',
    );
  });
});

describe('openAbsorbProgress', () => {
  it('prints a line now and then where there is no terminal', () => {
    const { stream, text } = output(false);
    let now = 0;
    const view = openAbsorbProgress(stream, () => now);
    view.report(scan);
    for (now = 1; now < 25; now++) view.report({ ...training, step: now });
    view.report({ ...training, epoch: 3 });
    view.end();
    const lines = text().trimEnd().split('\n');
    expect(lines).toHaveLength(5);
    expect(lines[0]).toBe('reading files');
    expect(lines[1]).toMatch(/^ 43 % {2}training {2}epoch 3 /);
    expect(lines[4]).toMatch(/epoch 4/);
  });

  it('draws one bar on a terminal, not wider than it', () => {
    const { stream, text } = output(true, 60);
    const view = openAbsorbProgress(stream);
    view.report(training);
    view.note('A line that stays.');
    view.end();
    const written = text();
    expect(written).toContain('[=========           ]  43 %  training  epoch 3');
    expect(written).toContain('A line that stays.\n');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what moves the cursor.
    for (const line of written.split(/\u001B\[[0-9;]*[A-Za-z]|\u001B[78]|[\r\n]/)) expect(line.length).toBeLessThan(60);
  });
});
