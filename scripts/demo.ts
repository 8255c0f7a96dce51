// `npm run demo`: absorbs the sources of a real package and of another one, then puts the same questions to the base
// model, to the adapted model, and to the model with the other package's adapter. Nothing is kept.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openServices } from '../native-host/open-services.ts';
import type { Services } from '../native-host/services.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '2.8' }, 'other-minutes': { type: 'string', default: '0.7' } },
});

const packageFolder = (name: string) => fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url));
const repository = { name: 'semver', folder: packageFolder('semver'), minutes: Number(values.minutes) };
const other = { name: 'minimatch', folder: packageFolder('minimatch'), minutes: Number(values['other-minutes']) };

// The first half in wordings that training uses, the second half in wordings that it never uses.
const shownQuestions = 10;

const storeRoot = await mkdtemp(join(tmpdir(), 'lift-demo-'));
const services = await openServices({ storeRoot });
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

try {
  console.log(
    `base model: ${services.model.name}, ${(services.model.parameters / 1e6).toFixed(1)} million parameters, on ${services.device}`,
  );
  for (const target of [repository, other]) await absorbWithProgress(services, target);
  const { signal } = stop;
  const own = await services.compare(
    repository.folder,
    { adapterOf: repository.folder, shown: shownQuestions },
    signal,
  );
  const wrong = await services.compare(repository.folder, { adapterOf: other.folder, shown: shownQuestions }, signal);

  console.log(`\nTen questions about ${repository.name}, without any of its text in the prompt:`);
  own.shown.forEach(({ question, wording, answer, base, adapted }, i) => {
    console.log(`\n  ${i + 1}. ${question}  (${wording})`);
    const line = (who: string, text: string) => console.log(`     ${who.padEnd(22)}${onOneLine(text)}`);
    line('right answer', answer);
    line('base', base);
    line('absorbed', adapted);
    line(`${other.name}'s adapter`, wrong.shown[i]!.adapted);
  });

  const percent = (share: number) => `${(100 * share).toFixed(1)} %`.padStart(9);
  const row = (name: string, base: number, adapted: number, foreign: number) =>
    console.log(`  ${name.padEnd(44)}${percent(base)}${percent(adapted)}${percent(foreign)}`);
  console.log(`\n${`  ${own.score.probes} probes about ${repository.name}`.padEnd(46)}     base absorbed    other`);
  row(
    'next tokens of its text right',
    own.score.baseNextTokenAccuracy,
    own.score.nextTokenAccuracy,
    wrong.score.nextTokenAccuracy,
  );
  row(
    'answers exact, wordings of training',
    own.score.baseTrainedExactMatch,
    own.score.trainedExactMatch,
    wrong.score.trainedExactMatch,
  );
  row('answers exact, wordings never trained', own.score.baseExactMatch, own.score.exactMatch, wrong.score.exactMatch);
  row('words of the answer (F1), never trained', own.score.baseTokenF1, own.score.tokenF1, wrong.score.tokenF1);
} finally {
  await services.close();
  await rm(storeRoot, { recursive: true, force: true });
}

function onOneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}

async function absorbWithProgress(open: Services, { name, folder, minutes }: typeof repository): Promise<void> {
  console.log(`\nabsorbing ${name} for ${minutes} minutes`);
  let shown = 0;
  const outcome = await open.absorb(
    folder,
    { minutes },
    {
      signal: stop.signal,
      whileRunning: async () => {},
      onProgress: ({ phase, done, loss, tokensPerSecond, absorbed }) => {
        if (phase !== 'train' || performance.now() - shown < 15_000) return;
        shown = performance.now();
        const share = `${(100 * (done ?? 0)).toFixed(0)} %`.padStart(5);
        console.log(
          `  ${share}  loss ${loss?.toFixed(2)}, ${tokensPerSecond?.toFixed(0)} tokens/s, absorbed ${(100 * absorbed).toFixed(0)} %`,
        );
      },
    },
  );
  const { documents, tokens, steps, trainedTokens, seconds, absorbed } = outcome;
  console.log(
    `  ${documents} documents, ${tokens} tokens; ${steps} steps, ${trainedTokens} tokens trained in ${seconds.toFixed(0)} s; ` +
      `absorbed ${(100 * absorbed).toFixed(1)} %`,
  );
}
