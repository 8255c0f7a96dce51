// `node dist/bench-packages.js [--minutes 4]`: a monorepo of packages that the embedded model never saw, absorbed into one
// adapter and into one for each package, in the same minutes altogether. Written to bench/RESULTS.md.
//   exact answers in wordings that are trained and in ones that never are, by the adapter that the question is sent to
//   how many questions are sent to the right package; the adapters of wrong ones as a control
//   an edit of one package: how soon it is absorbed, and what that costs the others
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { embeddedModelFolder, workerFile } from '../native-host/locations.ts';
import { openBaseModel } from '../native-host/model/open-model.ts';
import { openServices } from '../native-host/open-services.ts';
import { openOnnxDevice } from '../native-host/runtime/onnx/onnx-device.ts';
import type { Services } from '../native-host/services.ts';
import { openStore } from '../native-host/store/adapter-store.ts';
import type { Arrangement } from '../native-host/store/arrangement.ts';
import { type Adapter, openMeasurable } from '../native-host/study/probe.ts';
import { exactAnswers } from '../native-host/train/measure.ts';
import { recipeFor } from '../native-host/train/recipe.ts';
import { writeMonorepo } from './packages/monorepo.ts';
import { type PackageProbe, routed, sentRight } from './packages/routing.ts';
import { writeSection } from './results.ts';

/** As much of each as some minutes on two cores teach. */
const sources: Record<string, readonly string[]> = {
  semver: [
    'internal/constants',
    ...['cmp', 'coerce', 'diff', 'inc', 'parse', 'sort'].map((name) => `functions/${name}`),
  ],
  minimatch: ['assert-valid-pattern', 'brace-expressions', 'escape', 'unescape'].map((name) => `dist/esm/${name}`),
  commander: ['argument', 'error', 'suggestSimilar'].map((name) => `lib/${name}`),
};
const packages = Object.keys(sources);
/** For questions alone. */
const wholePackages = ['semver', 'minimatch', 'commander', 'chokidar', 'minisearch', 'cli-progress'];
const probesOfPackage = 80;
const edited = { file: 'packages/semver/internal/constants.js', from: 'MAX_LENGTH = 256', to: 'MAX_LENGTH = 512' };

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '4' } } });
const minutes = Number(values.minutes);
const scratch = await mkdtemp(join(tmpdir(), 'lift-packages-'));
const folder = join(scratch, 'mono');
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const shareOf = (flags: readonly boolean[]) => flags.filter(Boolean).length / Math.max(1, flags.length);

try {
  const files = Object.entries(sources).map(([name, paths]) => [name, paths.map((path) => `${path}.js`)]);
  await writeMonorepo(folder, Object.fromEntries(files));
  const model = await openBaseModel(embeddedModelFolder(), { folder: join(scratch, 'float32'), form: 'F32' });
  const { shape } = recipeFor(model.parameters, model.config.maxPositionEmbeddings).full;
  const small = await routed(model, folder, probesOfPackage);
  const { parts, probes } = small;
  await writeMonorepo(join(scratch, 'large'), Object.fromEntries(wholePackages.map((name) => [name, null])));
  const large = await routed(model, join(scratch, 'large'), probesOfPackage);

  /** Exact answers of an adapter, or of the base, to questions about facts. */
  const exactBy = async (adapter: Adapter | null, asked: readonly PackageProbe[], kind: 'trained' | 'heldBack') => {
    const device = openOnnxDevice('cpu', workerFile);
    const measurable = await openMeasurable(device, model, adapter, shape);
    try {
      const questions = asked.map((probe) => ({ question: probe[kind], answer: probe.fact.answer }));
      return await exactAnswers(measurable, model, questions, shape);
    } finally {
      await measurable.close();
      await device.close();
    }
  };
  /** Each probe by the adapter that `sentTo` names for it. */
  const exactSent = async (
    adapterOf: (name: string) => Promise<Adapter | null>,
    sentTo: readonly string[],
    kind: 'trained' | 'heldBack',
    asked: readonly PackageProbe[] = probes,
  ) => {
    const exact = new Map<PackageProbe, boolean>();
    for (const name of new Set(sentTo)) {
      const own = asked.filter((_, index) => sentTo[index] === name);
      const answers = await exactBy(await adapterOf(name), own, kind);
      for (const [index, probe] of own.entries()) exact.set(probe, answers[index]!);
    }
    return asked.map((probe) => exact.get(probe)!);
  };

  const right = probes.map((probe) => probe.package);
  const wrong = right.map((name) => `packages/${packages[(packages.indexOf(name.slice(9)) + 1) % packages.length]}`);

  const absorbed = async (arrangement: Arrangement) => {
    const storeRoot = join(scratch, arrangement);
    const services = await openServices({ storeRoot });
    const control = { signal: new AbortController().signal, whileRunning: async () => {}, onProgress: () => {} };
    const absorb = (request: object) => services.absorb(folder, { ...request, packages: arrangement }, control);
    const adapterOf = async (name: string) => {
      const store = openStore(storeRoot);
      const adapter =
        arrangement === 'whole' ? store.adapter(folder, model.key) : store.packageAdapter(folder, name, model.key);
      return adapter.loadVersion();
    };
    const others = probes.filter((probe) => probe.package !== 'packages/semver');
    const othersSent = others.map((probe) => (arrangement === 'whole' ? '' : probe.package));
    try {
      const first = await absorb({ minutes });
      console.log(`${arrangement}: ${first.end}, ${first.steps} steps, absorbed ${percent(first.absorbed)}`);
      const to = (names: readonly string[]) => (arrangement === 'whole' ? names.map(() => '') : names);
      const exact = {
        heldBack: shareOf(await exactSent(adapterOf, to(small.heldBack), 'heldBack')),
        trained: shareOf(await exactSent(adapterOf, to(small.trained), 'trained')),
        heldBackRight: shareOf(await exactSent(adapterOf, to(right), 'heldBack')),
        heldBackWrong: arrangement === 'whole' ? null : shareOf(await exactSent(adapterOf, wrong, 'heldBack')),
      };
      const before = shareOf(await exactSent(adapterOf, othersSent, 'heldBack', others));
      await replace(edited.from, edited.to);
      const started = performance.now();
      // What an unfinished absorption leaves is not to be gone on with here.
      const refresh = await absorb({ minutes: 1 });
      const seconds = (performance.now() - started) / 1000;
      const after = shareOf(await exactSent(adapterOf, othersSent, 'heldBack', others));
      await replace(edited.to, edited.from);
      const toSame = await secondsToAnswer(services, ['parse', 'parse']);
      const toOther = await secondsToAnswer(services, ['parse', 'Argument']);
      return { first, exact, before, after, seconds, refresh, toSame, toOther };
    } finally {
      await services.close();
    }
  };

  const whole = await absorbed('whole');
  const each = await absorbed('each');
  const base = shareOf(await exactBy(null, probes, 'heldBack'));
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const edit = ({ before, after }: typeof whole) => `${percent(before)} → ${percent(after)}`;
  const trainedOnEdit = (outcome: typeof whole) => `${outcome.refresh.trainedTokens.toLocaleString('en-US')}`;
  const tokens = parts
    .map((part) => `${part.package} ${part.repository.tokenCount.toLocaleString('en-US')}`)
    .join(', ');
  await writeSection('packages', [
    `Command: \`node dist/bench-packages.js --minutes ${minutes}\`: a monorepo of parts of ${packages.join(', ')} (tokens: ${tokens}),`,
    'with the embedded model, which saw none of them: one adapter for all, and one for each package, in the same minutes altogether.',
    `${probes.length} facts are asked for that both are taught; a question of a monorepo with an adapter for each goes to the package that it`,
    'points at, with nothing open. The edit is one constant of semver.',
    '',
    line(['', 'one adapter', 'one for each package']),
    '| --- | ---: | ---: |',
    line(['Absorbed, as told', percent(whole.first.absorbed), percent(each.first.absorbed)]),
    line(['Exact match, new wordings', percent(whole.exact.heldBack), percent(each.exact.heldBack)]),
    line(['Exact match, trained wordings', percent(whole.exact.trained), percent(each.exact.trained)]),
    line(['New wordings, were each question sent right', '', percent(each.exact.heldBackRight)]),
    line(['New wordings, by the adapter of a wrong package', '', percent(each.exact.heldBackWrong!)]),
    line(['New wordings, by the base', percent(base), percent(base)]),
    line(['Questions sent to the right package, new wordings', '', percent(sentRight(small, small.heldBack))]),
    line(['Questions sent to the right package, trained wordings', '', percent(sentRight(small, small.trained))]),
    line([`The same among ${wholePackages.join(', ')}, as they are`, '', percent(sentRight(large, large.heldBack))]),
    line(['Seconds until the edit is absorbed', whole.seconds.toFixed(1), each.seconds.toFixed(1)]),
    line(['Tokens trained for it', trainedOnEdit(whole), trainedOnEdit(each)]),
    line(['Seconds for an answer, the same package as before', whole.toSame.toFixed(2), each.toSame.toFixed(2)]),
    line(['Seconds for an answer, another package than before', whole.toOther.toFixed(2), each.toOther.toFixed(2)]),
    line(['New wordings about the other packages, before → after the edit', edit(whole), edit(each)]),
  ]);
} finally {
  await rm(scratch, { recursive: true, force: true });
}

/** Seconds to the whole answer, best of three: where is a name defined, one after another. */
async function secondsToAnswer(services: Services, names: readonly string[]): Promise<number> {
  const plain = { folder, openFiles: [], useAdapter: true, temperature: 0, topP: 1, maxTokens: 12, conversation: [] };
  const { signal } = new AbortController();
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 4; round++) {
    for (const name of names) {
      const started = performance.now();
      await services.ask({ ...plain, question: `Where is \`${name}\` defined?` }, () => {}, signal);
      if (round > 0) best = Math.min(best, (performance.now() - started) / 1000);
    }
  }
  return best;
}

async function replace(from: string, to: string): Promise<void> {
  const file = join(folder, edited.file);
  const text = await readFile(file, 'utf8');
  if (!text.includes(from)) throw new Error(`${file} is not what this benchmark edits: there is no ${from}`);
  await writeFile(
    file,
    text.replace(from, () => to),
  );
}
