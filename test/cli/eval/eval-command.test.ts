import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEvalProgress } from '../../../native-host/cli/eval-progress.ts';
import type { EvalControl, EvalProgress } from '../../../native-host/study/eval/eval-request.ts';
import { type FakeLiftOptions, lastObject, runLift } from '../fake-lift.ts';
import { evalResult } from './eval-result-fixture.ts';

let root: string;

beforeAll(() => {
  root = realpathSync.native(mkdtempSync(join(tmpdir(), 'lift-eval-')));
  for (const folder of ['repo', 'other']) mkdirSync(join(root, folder));
  writeFileSync(join(root, 'set.jsonl'), '{"question":"Why?","answer":"So.","path":"a.ts"}\n');
  writeFileSync(join(root, 'broken.jsonl'), '{"question":"Why?"}\n');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function lift(parameters: string[], options: Partial<FakeLiftOptions> = {}) {
  return runLift(['eval', ...parameters], { workingFolder: root, ...options });
}

describe('lift eval', () => {
  test('hands over its options', async () => {
    const { calls, status } = await lift([
      'repo',
      ...['--arms', 'lift,base', '--adapter-kind', 'lora,gatedMemory', '--adapter-of', 'other', '--minutes', '0.5'],
      ...['--method', 'anchors,self-study', '--optimizer', 'adamw'],
      ...['--epochs', '3', '--probes', '40', '--needles', '0', '--seed', '7', '--questions', 'set.jsonl'],
    ]);
    expect(status).toBe(0);
    expect(calls[0]!.parameters.slice(0, 2)).toEqual([
      join(root, 'repo'),
      {
        arms: ['lift', 'base'],
        adapterKinds: ['lora', 'gatedMemory'],
        method: ['anchors', 'self-study'],
        optimizer: 'adamw',
        adapterOf: join(root, 'other'),
        minutes: 0.5,
        epochs: 3,
        probes: 40,
        needles: 0,
        seed: 7,
        references: [{ question: 'Why?', answer: 'So.', path: 'a.ts' }],
      },
    ]);
    expect((await lift(['repo'])).calls[0]!.parameters[1]).toEqual({});
  });

  test('takes methods that go together, or none', async () => {
    const none = await lift(['repo', '--method', 'none']);
    expect(none.calls[0]!.parameters[1]).toEqual({ method: [] });
    for (const [names, message] of [
      ['anchors,magic', /There is no magic; there are anchors, distractors/],
      ['distillation', /distillation is about what self-study writes: name both/],
    ] as const) {
      const { status, stderr, opened } = await lift(['repo', '--method', names]);
      expect([names, status === 0, opened]).toEqual([names, false, []]);
      expect(stderr).toMatch(message);
    }
  });

  test('prints one JSON object for scripts, all of it', async () => {
    const { stdout } = await lift(['repo', '--json']);
    expect(lastObject(stdout)).toEqual(evalResult);
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
  });

  test('prints tables for people', async () => {
    const { stdout } = await lift(['repo']);
    expect(stdout).toContain('9,400 tokens in 12 documents; lift-base on cpu');
    expect(stdout).toMatch(/^lift +60\.0 % \[50, 70\] +80\.0 % +60\.0 % +60\.0 % +25\.0 % +2\.400 \[2\.000, 4\.000\]/m);
    expect(stdout).toMatch(
      /^everything +120 +98,765 +1 min +700\.0 MB +82\.0 % +90\.0 % +70\.0 % +2\.500 +4\.500 +5\.500$/m,
    );
    expect(stdout).toMatch(/^nothing \(base\) +31\.0 %/m);
    expect(stdout).toMatch(/^lift - base +\+55\.0 \[\+40\.0, \+70\.0\] points$/m);
  });

  test('writes the report and the JSON where it is told', async () => {
    const { stdout } = await lift(['repo', '--out', 'reports/one']);
    expect(stdout).toContain(`Report: ${join(root, 'reports/one/eval.html')}`);
    expect(JSON.parse(readFileSync(join(root, 'reports/one/eval.json'), 'utf8'))).toEqual(evalResult);
    expect(readFileSync(join(root, 'reports/one/eval.html'), 'utf8')).toMatch(/^<!DOCTYPE html>[\s\S]*<\/html>\n$/);
    const both = await lift(['repo', '--out', 'reports/two', '--json']);
    expect(lastObject(both.stdout)).toEqual(evalResult);
  });

  test('says what is wrong before anything is trained', async () => {
    for (const [parameters, message] of [
      [['repo', '--questions', 'none.jsonl'], /none\.jsonl cannot be read/],
      [['repo', '--questions', 'broken.jsonl'], /broken\.jsonl, line 1: "answer" is missing/],
      [['repo', '--adapter-of', 'nowhere'], /There is no folder/],
      [['repo', '--out', 'set.jsonl'], /EEXIST|ENOTDIR/],
    ] as const) {
      const { status, stderr, opened } = await lift([...parameters]);
      expect([parameters, status]).toEqual([parameters, 1]);
      expect(stderr).toMatch(message);
      expect(opened).toEqual([]);
    }
  });

  test('tells how it goes, and stops when asked', async () => {
    const interrupt = new AbortController();
    const evaluate = async (_folder: string, _request: object, control: EvalControl) => {
      control.onProgress({ stage: 'training', name: 'segments', done: 0, loss: 3 });
      interrupt.abort();
      control.signal.throwIfAborted();
      return evalResult;
    };
    const { status, stdout, stderr } = await lift(['repo', '--json'], { interrupt, services: { evaluate } });
    expect([status, stdout]).toEqual([130, '']);
    expect(stderr).toBe('training segments\n');
  });
});

test('progress is a line for each stage, and now and then one in a long training', () => {
  let time = 0;
  const lines: string[] = [];
  const output = { write: (text: string) => lines.push(text) } as unknown as NodeJS.WritableStream;
  const report = openEvalProgress(output, () => time);
  const training = (done: number): EvalProgress => ({ stage: 'training', name: 'all', done, loss: 1.25 });
  for (const seconds of [0, 5, 14, 16, 17, 40]) {
    time = seconds;
    report(training(seconds / 50));
  }
  report({ stage: 'answering', name: 'lift', done: 0 });
  time = 100;
  report({ stage: 'answering', name: 'lift', done: 1 });
  expect(lines).toEqual([
    'training all\n',
    'training all  32 %  loss 1.25\n',
    'training all  80 %  loss 1.25\n',
    'answering lift\n',
  ]);
});
