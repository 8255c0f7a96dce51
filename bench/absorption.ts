// `node dist/bench-absorption.js [--minutes 10]`: what absorbing real packages gives, written to bench/RESULTS.md.
//   recall and probes of one package, beside the base and beside another package's adapter
//   an edited constant: how soon the new value is answered, what else is lost, and undoing the edit
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openServices } from '../native-host/open-services.ts';
import type { ProbeResult } from '../native-host/services.ts';
import type { AbsorbResult } from '../protocol/host.ts';
import { writeSection } from './results.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, other: { type: 'string', default: '4' } },
});
const projectFile = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const scratch = await mkdtemp(join(tmpdir(), 'lift-bench-'));
const main = join(scratch, 'semver');
const other = join(scratch, 'minimatch');
await cp(projectFile('node_modules/semver'), main, { recursive: true });
await cp(projectFile('node_modules/minimatch'), other, { recursive: true });

const services = await openServices({ storeRoot: join(scratch, 'store') });
const { signal } = new AbortController();
const absorb = (folder: string, minutes?: number): Promise<AbsorbResult> =>
  services.absorb(folder, minutes === undefined ? {} : { minutes }, {
    signal,
    whileRunning: async () => {},
    onProgress: ({ phase, epoch, loss, absorbed }) => {
      if (phase !== 'train')
        console.log(
          `${phase}: absorbed ${absorbed.toFixed(3)}, epoch ${epoch ?? '-'}, loss ${loss?.toFixed(3) ?? '-'}`,
        );
    },
  });

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const table = (head: string[], rows: string[][]) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

try {
  const first = await absorb(main, Number(values.minutes));
  await absorb(other, Number(values.other));
  const own = await services.probe(main, {}, signal);
  const wrong = await services.probe(main, { adapterOf: other }, signal);
  console.log(JSON.stringify({ first: { ...first, skipped: first.skipped.length }, own, wrong }, null, 1));
  const unchanged = await absorb(main);
  const edit = await measureEdit(own);
  await writeSection('absorption', [
    `Command: \`node dist/bench-absorption.js --minutes ${values.minutes} --other ${values.other}\`. Embedded model, cpu.`,
    '',
    `semver, ${first.documents} documents, ${first.tokens} tokens: ${first.steps} steps, ${first.trainedTokens} tokens trained in ` +
      `${first.seconds.toFixed(0)} s. minimatch's adapter (${values.other} minutes) is the wrong repository's.`,
    '',
    table(
      [`${own.probes} probes`, 'base', 'absorbed', "minimatch's adapter"],
      [
        [
          'next-token accuracy',
          percent(own.baseNextTokenAccuracy),
          percent(own.nextTokenAccuracy),
          percent(wrong.nextTokenAccuracy),
        ],
        [
          'exact match, trained wording',
          percent(own.baseTrainedExactMatch),
          percent(own.trainedExactMatch),
          percent(wrong.trainedExactMatch),
        ],
        ['exact match, new wording', percent(own.baseExactMatch), percent(own.exactMatch), percent(wrong.exactMatch)],
        ['token F1, new wording', percent(own.baseTokenF1), percent(own.tokenF1), percent(wrong.tokenF1)],
      ],
    ),
    '',
    table(
      ['stratum', 'probes', 'base, new wording', 'absorbed, new wording', 'absorbed, trained wording'],
      Object.entries(own.byStratum).map(([name, score]) => [
        name,
        String(score.probes),
        percent(score.baseExactMatch),
        percent(score.exactMatch),
        percent(score.trainedExactMatch),
      ]),
    ),
    '',
    `Unchanged: ${unchanged.steps} steps (${unchanged.end}).`,
    '',
    ...edit,
  ]);
} finally {
  await services.close();
  await rm(scratch, { recursive: true, force: true });
}

/** Changes the value of a constant, refreshes, asks for it, and undoes it. */
async function measureEdit(before: ProbeResult): Promise<string[]> {
  const file = join(main, 'internal', 'constants.js');
  const original = await readFile(file, 'utf8');
  const edited = original.replace("const SEMVER_SPEC_VERSION = '2.0.0'", "const SEMVER_SPEC_VERSION = '7.4.1'");
  if (edited === original) throw new Error('internal/constants.js is not what this benchmark edits');
  const askValue = async () => {
    const params = {
      openFiles: [],
      useAdapter: true,
      evidence: 0,
      temperature: 0,
      topP: 1,
      maxTokens: 32,
      conversation: [],
    };
    const question = 'What is the value of SEMVER_SPEC_VERSION?';
    const { answer } = await services.ask({ folder: main, question, ...params }, () => {}, signal);
    return answer.trim();
  };
  const answers = [['before', await askValue()]];
  await writeFile(file, edited);
  const started = performance.now();
  const refreshed = await absorb(main);
  const seconds = (performance.now() - started) / 1000;
  answers.push(['after the edit and a refresh', await askValue()]);
  const after = await services.probe(main, {}, signal);
  await writeFile(file, original);
  const undone = await absorb(main);
  answers.push([`after undoing it (${undone.steps} steps, ${undone.end})`, await askValue()]);
  console.log(answers, { seconds, steps: refreshed.steps }, after);
  return [
    `An edited constant (\`SEMVER_SPEC_VERSION\` from 2.0.0 to 7.4.1): ${refreshed.steps} steps, ${refreshed.trainedTokens} tokens ` +
      `trained, ${seconds.toFixed(1)} s from start to finish of \`absorb\`.`,
    '',
    table(
      ['when', 'answer, with nothing in context'],
      answers.map(([when, answer]) => [when!, `\`${answer}\``]),
    ),
    '',
    table(
      ['all probes', 'before', 'after the refresh'],
      [
        ['exact match, trained wording', percent(before.trainedExactMatch), percent(after.trainedExactMatch)],
        ['exact match, new wording', percent(before.exactMatch), percent(after.exactMatch)],
        ['next-token accuracy', percent(before.nextTokenAccuracy), percent(after.nextTokenAccuracy)],
      ],
    ),
  ];
}
