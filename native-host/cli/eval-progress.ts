/** Shows how an evaluation goes: a line for each stage, and now and then one while an adapter trains. */
import type { EvalProgress } from '../study/eval/eval-request.ts';
import type { Output } from './context.ts';
import { percent } from './number-text.ts';
import { printLines } from './print.ts';

const secondsBetweenLines = 15;

export function openEvalProgress(output: Output, now = () => performance.now() / 1000): (report: EvalProgress) => void {
  let lastStage = '';
  let lastTime = 0;
  return ({ stage, name, done, loss }) => {
    const key = `${stage} ${name}`;
    if (key === lastStage && (stage !== 'training' || now() - lastTime < secondsBetweenLines)) return;
    const isNew = key !== lastStage;
    lastStage = key;
    lastTime = now();
    const more = isNew || loss === undefined ? '' : `  ${percent(done, 0)}  loss ${loss.toFixed(2)}`;
    printLines(output, [`${stage} ${name}${more}`]);
  };
}
