// What a model makes of a text in its prompt, on packages that no stage trains on: `node dist/pretrain/instructions-check.js
// models/lift-base …`. Says for each model how often it answers what a text tells, refuses what none tells, refuses though one
// tells, refuses from memory, and how much its explanations share with their authors'.
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { wordingsOf } from '../../native-host/corpus/questions/wordings.ts';
import { type ContextText, renderContext } from '../../native-host/generate/context-format.ts';
import { openBaseModel } from '../../native-host/model/open-model.ts';
import { shuffled, uniformNumbers } from '../../native-host/model/random.ts';
import { openOnnxDevice } from '../../native-host/runtime/onnx/onnx-device.ts';
import { greedyAnswers, longestAnswerTokens, tokenF1 } from '../../native-host/study/probe.ts';
import type { Explained } from './explained.ts';
import { ofThisCode, ofThisFile, REFUSAL } from './instructions-stage.ts';
import { type PackageFact, readRows } from './package-facts.ts';
import { textOf } from './supervision.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { questions: { type: 'string', default: '150' } },
});
const most = Number(values.questions);
const cacheFolder = fileURLToPath(new URL('../../.cache/pretrain', import.meta.url));
const uniform = uniformNumbers(2026);
const pick = <T>(items: readonly T[]): T => items[Math.floor(uniform() * items.length)]!;
const readable = (await readRows<PackageFact>(cacheFolder, 'held-out-facts')).filter(({ excerpt }) => excerpt !== null);
const explained = shuffled(await readRows<Explained>(cacheFolder, 'held-out-explained'), uniform).slice(0, most);

interface Asked {
  texts: ContextText[];
  question: string;
  answer: string;
}

const facts = shuffled(readable, uniform).slice(0, most);
const told: Asked[] = facts.map((fact) => {
  const others = [pick(readable), pick(readable)].filter(({ path }) => path !== fact.path);
  const texts = shuffled([fact, ...others], uniform).map(textOf);
  return { texts, question: pick(wordingsOf(fact)).text, answer: fact.answer };
});
const untold: Asked[] = told.map(({ texts, ...asked }, i) => {
  const { path, excerpt } = facts[i]!;
  return { ...asked, texts: texts.filter((text) => text.path !== path && text.text !== excerpt) };
});
const bare: Asked[] = told.map((asked) => ({ ...asked, texts: [] }));
const code: Asked[] = explained.map(({ path, name, text, answer }) => {
  const question = name === '' ? ofThisFile[0]! : ofThisCode[0]!.replace('{name}', () => name);
  return { texts: [{ path, text }], question, answer };
});

const device = openOnnxDevice('cpu', new URL('../worker.js', import.meta.url));
for (const folder of positionals) {
  const model = await openBaseModel(resolve(folder), { folder: join(cacheFolder, 'float32'), form: 'F32' });
  const answersTo = (asked: readonly Asked[]) => {
    const questions = asked.map(({ texts, question }) => renderContext(texts, question));
    return greedyAnswers(device, model, null, questions, longestAnswerTokens, new AbortController().signal);
  };
  const answers = { told: await answersTo(told), untold: await answersTo(untold), bare: await answersTo(bare) };
  const explanations = await answersTo(code);
  const refused = (all: readonly string[]) => percent(all.filter((answer) => answer === REFUSAL).length / all.length);
  const shared = explanations.reduce((sum, answer, i) => sum + tokenF1(answer, code[i]!.answer), 0) / code.length;
  console.log(
    [
      `${basename(folder)}, ${told.length} questions, ${code.length} explanations:`,
      `told: ${percent(answers.told.filter((answer, i) => answer === told[i]!.answer).length / told.length)} right, ${refused(answers.told)} refused`,
      `untold: ${refused(answers.untold)} refused`,
      `from memory: ${refused(answers.bare)} refused`,
      `explanations: ${percent(shared)} of words shared (F1), ${refused(explanations)} refused`,
      ...[0, 1, 2].map((i) => `  ${code[i]!.question} ${explanations[i]} (its author: ${code[i]!.answer})`),
    ].join('\n  '),
  );
}
await device.close();

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
