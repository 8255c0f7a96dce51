/** An evaluation as tables for people. */
import type { Interval } from '../study/eval/bootstrap.ts';
import type { EvalResult } from '../study/eval/eval-result.ts';
import { byteSize, count, counted, duration, percent } from './number-text.ts';
import { textTable } from './text-table.ts';

export function evalLines(result: EvalResult): string[] {
  const { arms, documents, tokens, window, model, device } = result;
  const strata = [...new Set(arms.flatMap(({ byStratum }) => Object.keys(byStratum)))];
  const hasReferences = arms.some(({ references }) => references !== null);
  const hasNeedles = arms.some(({ needles }) => needles !== null);
  const header = ['Arm', 'exact match', 'token F1', ...strata, ...(hasNeedles ? ['needles'] : [])];
  if (hasReferences) header.push('reference nll');
  header.push('prompt', 'answer', 'memory');
  const rows = arms.map(({ name, probes, byStratum, needles, references, promptTokens, answerSeconds, peakBytes }) => [
    name,
    shareWithInterval(probes.exactMatch),
    share(probes.tokenF1),
    ...strata.map((stratum) => share(byStratum[stratum]?.exactMatch)),
    ...(hasNeedles ? [share(needles?.exactMatch)] : []),
    ...(hasReferences ? [nats(references?.nll)] : []),
    count(promptTokens),
    `${count(1000 * answerSeconds)} ms`,
    byteSize(peakBytes),
  ]);
  const { questions } = arms[0]?.probes ?? { questions: 0 };
  return [
    `${counted(tokens, 'token')} in ${counted(documents, 'document')}; ${model} on ${device}, ` +
      `${count(window)} tokens of prompt and answer at most`,
    `${counted(questions, 'probe')}, in wordings that are never trained; exact match with 95 % intervals`,
    '',
    ...textTable(header, rows, header.slice(1)),
    '',
    ...trainingLines(result),
    ...comparisonLines(result),
  ];
}

function trainingLines({ trainings, base }: EvalResult): string[] {
  const header = [
    'Trained on',
    'steps',
    'tokens',
    'time',
    'memory',
    'next token',
    'trained wording',
    'unseen wording',
    'code',
    'prose',
    'chat',
  ];
  const rows = trainings.map(({ name, steps, trainedTokens, seconds, peakBytes, general, ...known }) => [
    name,
    count(steps),
    count(trainedTokens),
    duration(seconds),
    byteSize(peakBytes),
    percent(known.nextTokenAccuracy),
    percent(known.trainedWordings),
    percent(known.unseenWordings),
    ...[general.code, general.prose, general.chat].map((value) => value.toFixed(3)),
  ]);
  const { code, prose, chat } = base.general;
  const known = [base.nextTokenAccuracy, base.trainedWordings, base.unseenWordings].map((share) => percent(share));
  const nothing = ['nothing (base)', '', '', '', '', ...known];
  rows.push([...nothing, ...[code, prose, chat].map((value) => value.toFixed(3))]);
  return [
    ...textTable(header, rows, header.slice(1)),
    'trained wording: probes answered exactly as training asks them; unseen: in wordings that not even the base model was trained on; code, prose, chat: mean -log p a token of texts that no repository holds, in nats',
    '',
  ];
}

function comparisonLines({ comparisons }: EvalResult): string[] {
  if (comparisons.length === 0) return [];
  const header = ['Difference', 'exact match', 'reference nll'];
  const rows = comparisons.map(({ left, right, exactMatch, referenceNll }) => [
    `${left} - ${right}`,
    `${points(exactMatch.mean)} [${points(exactMatch.low)}, ${points(exactMatch.high)}] points`,
    nats(referenceNll ?? undefined),
  ]);
  return textTable(header, rows, header.slice(1));
}

function share(interval: Interval | undefined): string {
  return interval === undefined ? '' : percent(interval.mean);
}

function shareWithInterval({ mean, low, high }: Interval): string {
  return `${percent(mean)} [${(100 * low).toFixed(0)}, ${(100 * high).toFixed(0)}]`;
}

function nats(interval: Interval | undefined): string {
  if (interval === undefined) return '';
  return `${interval.mean.toFixed(3)} [${interval.low.toFixed(3)}, ${interval.high.toFixed(3)}]`;
}

function points(difference: number): string {
  return `${difference > 0 ? '+' : ''}${(100 * difference).toFixed(1)}`;
}
