/** An evaluation as one HTML file that needs nothing else: no script, no request, plots as inline SVG. */
import { createHash } from 'node:crypto';
import { arms as allArms } from '../study/eval/arms.ts';
import type { EvalResult } from '../study/eval/eval-result.ts';
import { escaped, section, table } from './html.ts';
import { byteSize, count, counted, duration, percent } from './number-text.ts';
import { barPlot, linePlot } from './plots.ts';
import { style } from './style.ts';

/** Folders with fewer tokens are not drawn where there are more. */
const mostFolders = 24;

export function reportPage(result: EvalResult): string {
  const { folder, model, modelParameters, device, window, documents, tokens, seed, budget, adapterOf } = result;
  const name = folder.split(/[\\/]/).at(-1) || folder;
  const title = `What ${model} knows of ${name}`;
  const facts = [
    `${folder}: ${counted(tokens, 'token')} in ${counted(documents, 'document')}`,
    `${model}, ${count(modelParameters)} parameters, on ${device}; at most ${count(window)} tokens of prompt and answer`,
    `${spentOf(budget)} for each training; seed ${seed}${adapterOf === null ? '' : `; the wrong repository is ${adapterOf}`}`,
  ];
  // The policy allows this style and nothing else, wherever the page is shown.
  const hash = createHash('sha256').update(style).digest('base64');
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${hash}'"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
<p class="note">${facts.map(escaped).join('<br/>')}</p>
${[
  armSection(result),
  stratumSection(result),
  curveSection(result),
  lossSection(result),
  folderSection(result),
  comparisonSection(result),
  trainingSection(result),
  questionSection(result),
]
  .filter((part) => part !== '')
  .join('\n')}
</body>
</html>
`;
}

const shareOf = (value: number) => percent(value);

function spentOf({ minutes, epochs, steps }: EvalResult['budget']): string {
  const limits = [
    ...(minutes === null ? [] : [duration(60 * minutes)]),
    ...(epochs === null ? [] : [counted(epochs, 'epoch')]),
    ...(steps === null ? [] : [counted(steps, 'step')]),
  ];
  return `${limits.length > 1 ? 'At most ' : ''}${limits.join(' and ')}`;
}

function armSection({ arms }: EvalResult): string {
  const number = (title: string) => ({ title, isNumber: true });
  const columns = [
    { title: 'Arm' },
    ...['Exact match', '95 %', 'Token F1', 'Needles', 'Reference nll', 'Prompt', 'An answer', 'Memory'].map(number),
  ];
  const rows = arms.map(({ name, probes, needles, references, promptTokens, answerSeconds, peakBytes }) => [
    name,
    percent(probes.exactMatch.mean),
    `${percent(probes.exactMatch.low, 0)} to ${percent(probes.exactMatch.high, 0)}`,
    percent(probes.tokenF1.mean),
    needles === null ? '–' : percent(needles.exactMatch.mean),
    references === null ? '–' : references.nll.mean.toFixed(3),
    `${count(promptTokens)} tokens`,
    `${count(1000 * answerSeconds)} ms`,
    byteSize(peakBytes),
  ]);
  const asked = arms[0]?.probes.questions ?? 0;
  const note = `${counted(asked, 'probe')}, each in a wording that is never trained, answered greedily.`;
  const described = arms.map(({ arm, name }) => `<li>${escaped(`${name}: ${allArms[arm].description}`)}</li>`);
  return section('Arms', note, `${table(columns, rows)}<ul class="legend">${described.join('')}</ul>`);
}

function stratumSection({ arms }: EvalResult): string {
  const strata = [...new Set(arms.flatMap(({ byStratum }) => Object.keys(byStratum)))];
  const panels = strata.map((stratum) => {
    const bars = arms.flatMap(({ name, byStratum }) => {
      const exact = byStratum[stratum]?.exactMatch;
      return exact === undefined ? [] : [{ label: name, value: exact.mean, range: [exact.low, exact.high] as const }];
    });
    const asked = arms.find(({ byStratum }) => stratum in byStratum)!.byStratum[stratum]!.questions;
    const heading = `<h3>${escaped(stratum)} (${counted(asked, 'probe')})</h3>`;
    return `<div>${heading}${barPlot(`Exact match, ${stratum}`, bars, shareOf)}</div>`;
  });
  const content = panels.length === 0 ? '' : `<div class="panels">${panels.join('\n')}</div>`;
  return section('Exact match by stratum', 'The thin line is the 95 % interval of the mean.', content);
}

function curveSection({ trainings }: EvalResult): string {
  const plot = linePlot({
    title: 'Exact match against training time',
    xTitle: 'seconds of training',
    most: 1,
    series: trainings.map(({ name, curve }) => ({
      name,
      points: curve.map(({ seconds, exactMatch }) => [seconds, exactMatch] as const),
    })),
    formatX: count,
    formatY: (value) => percent(value, 0),
  });
  return section('Accuracy against training time', 'Exact match on all probes, with nothing in context.', plot);
}

function lossSection({ trainings }: EvalResult): string {
  const plot = linePlot({
    title: 'Loss against training time',
    xTitle: 'seconds of training',
    series: trainings.map(({ name, losses }) => ({
      name,
      points: losses.map(({ seconds, loss }) => [seconds, loss] as const),
    })),
    formatX: count,
    formatY: (value) => String(Number(value.toPrecision(3))),
  });
  return section('Loss', 'Running mean over the steps, in nats a token.', plot);
}

function folderSection({ trainings }: EvalResult): string {
  const panels = trainings.map(({ name, byFolder }) => {
    const bars = byFolder.slice(0, mostFolders).map(({ path, tokens, absorbed }) => ({
      label: `${path === '' ? '(top files)' : path} ${count(tokens)}`,
      value: absorbed,
    }));
    return `<div><h3>${escaped(name)}</h3>${barPlot(`Absorbed by folder, ${name}`, bars, shareOf)}</div>`;
  });
  const content = panels.length === 0 ? '' : `<div class="panels">${panels.join('\n')}</div>`;
  return section('Absorbed share by folder', 'Tokens that are predicted right, after the path alone.', content);
}

function comparisonSection({ comparisons }: EvalResult): string {
  if (comparisons.length === 0) return '';
  const points = (value: number) => `${value > 0 ? '+' : ''}${(100 * value).toFixed(1)}`;
  const columns = [
    { title: 'Difference' },
    ...['Points of exact match', '95 %', 'Reference nll'].map((title) => ({ title, isNumber: true })),
  ];
  const rows = comparisons.map(({ left, right, exactMatch, referenceNll }) => [
    `${left} − ${right}`,
    points(exactMatch.mean),
    `${points(exactMatch.low)} to ${points(exactMatch.high)}`,
    referenceNll === null ? '–' : referenceNll.mean.toFixed(3),
  ]);
  return section('Differences', 'Question by question, on all probes.', table(columns, rows));
}

function trainingSection({ trainings, base }: EvalResult): string {
  const titles = ['Parameters', 'Steps', 'Tokens', 'Time', 'Memory', 'Next token', 'Trained wording', 'Unseen wording'];
  const columns = [
    { title: 'Trained on' },
    ...[...titles, 'Code', 'Prose', 'Chat'].map((title) => ({ title, isNumber: true })),
  ];
  const nats = ({ code, prose, chat }: typeof base.general) => [code, prose, chat].map((value) => value.toFixed(3));
  const rows = trainings.map((training) => [
    training.name,
    count(training.parameters),
    count(training.steps),
    count(training.trainedTokens),
    duration(training.seconds),
    byteSize(training.peakBytes),
    percent(training.nextTokenAccuracy),
    percent(training.trainedWordings),
    percent(training.unseenWordings),
    ...nats(training.general),
  ]);
  rows.push([
    'nothing (base)',
    '',
    '',
    '',
    '',
    '',
    ...[base.nextTokenAccuracy, base.trainedWordings, base.unseenWordings].map(shareOf),
    ...nats(base.general),
  ]);
  const note =
    'Trained wording: probes answered exactly as training asks them. Unseen: in wordings that not even the base model was trained on. ' +
    'Code, prose and chat: mean −log p a token of texts that no repository holds, in nats; lower is better.';
  return section('Training, and what is left of general ability', note, table(columns, rows));
}

function questionSection({ questions, arms }: EvalResult): string {
  const names = arms.map(({ name }) => name);
  const columns = ['Question', 'Stratum', 'Wanted', ...names].map((title) => ({ title }));
  const rows = questions.map(({ question, stratum, answer, answers }) => [
    question,
    stratum,
    answer,
    ...names.map((name) => answers[name] ?? ''),
  ]);
  const content = rows.length === 0 ? '' : table(columns, rows);
  return section('Questions and answers', 'As they were generated.', content);
}
