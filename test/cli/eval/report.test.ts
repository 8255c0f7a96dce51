import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { reportPage } from '../../../native-host/report/page.ts';
import { barPlot, linePlot, ticks } from '../../../native-host/report/plots.ts';
import type { EvalResult } from '../../../native-host/study/eval/eval-result.ts';
import { evalResult } from './eval-result-fixture.ts';

const hostile = `</style></title><script>alert(1)</script><img src=x onerror="a" '&\u202E\u0007`;

/** The elements of a page whose every tag is closed in its order; fails where one is not. */
function elementsOf(page: string): string[] {
  const open: string[] = [];
  const names: string[] = [];
  const body = page.replace(/^<!DOCTYPE html>\n/, '').replace(/<style>[^<]*<\/style>/, '<style></style>');
  const rest = body.replace(/<(\/?)([a-z0-9]+)((?: [a-zA-Z0-9-]+="[^"<>]*")*)(\/?)>/g, (_, end, name, __, closed) => {
    if (end === '/') expect(open.pop()).toBe(name);
    else {
      names.push(name);
      if (closed === '') open.push(name);
    }
    return '';
  });
  expect(open).toEqual([]);
  expect(rest).not.toMatch(/[<>]/);
  expect(rest).not.toMatch(/&(?!(amp|lt|gt|quot|#39);)/);
  return names;
}

describe('the report of an evaluation', () => {
  test('is a well-formed page with all its plots', () => {
    const page = reportPage(evalResult);
    const elements = elementsOf(page);
    expect(elements.filter((name) => name === 'svg')).toHaveLength(2 + 1 + 1 + 1);
    for (const text of ['Arms', 'Loss', 'Absorbed share by folder', 'Accuracy against training time', '60.0 %', '42']) {
      expect(page).toContain(text);
    }
    expect(page).toContain('prefers-color-scheme: dark');
  });

  test('has no script and asks for nothing: its policy allows its own style alone', () => {
    const page = reportPage(evalResult);
    expect(page).not.toMatch(/<script|<link|<iframe|\ssrc=|\shref=|\sstyle=|\son\w+=|url\(|@import/i);
    const style = /<style>([\s\S]*?)<\/style>/.exec(page)![1]!;
    const hash = createHash('sha256').update(style).digest('base64');
    expect(page).toContain(`content="default-src 'none'; style-src 'sha256-${hash}'"`);
  });

  test('shows hostile names and answers as text', () => {
    const [arm] = evalResult.arms;
    const [training] = evalResult.trainings;
    const [question] = evalResult.questions;
    const result: EvalResult = {
      ...evalResult,
      folder: `/repositories/${hostile}`,
      adapterOf: hostile,
      model: hostile,
      arms: [{ ...arm!, name: hostile, byStratum: { [hostile]: arm!.probes } }],
      trainings: [{ ...training!, name: hostile, byFolder: [{ path: hostile, tokens: 1, absorbed: 1 }] }],
      comparisons: [{ ...evalResult.comparisons[0]!, left: hostile, right: hostile }],
      questions: [{ ...question!, question: hostile, answer: hostile, answers: { [hostile]: hostile } }],
    };
    const page = reportPage(result);
    const allowed = new Set(elementsOf(reportPage(evalResult)));
    expect(elementsOf(page).filter((name) => !allowed.has(name))).toEqual([]);
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    for (const character of ['\u202E', '\u0007']) expect(page).not.toContain(character);
  });

  test('leaves out what there is nothing of', () => {
    const page = reportPage({
      ...evalResult,
      arms: evalResult.arms.slice(0, 1),
      trainings: [],
      comparisons: [],
      questions: [],
    });
    elementsOf(page);
    for (const title of ['Loss', 'Differences', 'Absorbed share by folder', 'Questions and answers']) {
      expect(page).not.toContain(`<h2>${title}</h2>`);
    }
  });
});

describe('a plot', () => {
  test('puts points where their values belong', () => {
    const plot = linePlot({
      title: 'T',
      xTitle: 'x',
      most: 1,
      series: [
        {
          name: 'one',
          points: [
            [0, 0],
            [5, 0.5],
            [10, 1],
          ],
        },
      ],
      formatX: String,
      formatY: String,
    });
    const points = /points="([^"]+)"/
      .exec(plot)![1]!
      .split(' ')
      .map((pair) => pair.split(',').map(Number));
    const [first, middle, last] = points as [number[], number[], number[]];
    expect(middle[0]).toBeCloseTo((first[0]! + last[0]!) / 2, 1);
    expect(middle[1]).toBeCloseTo((first[1]! + last[1]!) / 2, 1);
    // Down is larger.
    expect(first[1]!).toBeGreaterThan(last[1]!);
    expect(last[0]!).toBeGreaterThan(first[0]!);
  });

  test('keeps bars within their track', () => {
    const plot = barPlot(
      'T',
      [
        { label: 'a', value: 0 },
        { label: 'b', value: 1, range: [0.5, 1.5] },
      ],
      String,
    );
    const number = (text: string) => [...plot.matchAll(new RegExp(text, 'g'))].map(([, value]) => Number(value));
    const [none, all] = number('class="bar"[^>]* width="([^"]+)"');
    const [track] = number('class="track"[^>]* width="([^"]+)"');
    expect(none).toBe(0);
    expect(all).toBe(track);
    const [start] = number('class="track" x="([^"]+)"');
    expect(number('x2="([^"]+)"')).toEqual([start! + track!]);
  });

  test('has round ticks', () => {
    expect(ticks(1).map((tick) => tick.toFixed(3))).toEqual(['0.000', '0.200', '0.400', '0.600', '0.800', '1.000']);
    expect(ticks(300)).toEqual([0, 50, 100, 150, 200, 250, 300]);
    expect(ticks(47)).toEqual([0, 10, 20, 30, 40]);
  });

  test('is nothing where there is nothing to draw', () => {
    expect(barPlot('T', [], String)).toBe('');
    const one = {
      title: 'T',
      xTitle: 'x',
      series: [{ name: 'a', points: [[0, 1]] as const }],
      formatX: String,
      formatY: String,
    };
    expect(linePlot(one)).toBe('');
  });
});
