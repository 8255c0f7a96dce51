// `node dist/bench-scale.js [--minutes 10]`: a repository of a million tokens, on the processor with the embedded model: read,
// absorbed within so many minutes (stopped at half of them, and gone on), probed, edited and refreshed. Writes bench/SCALE.md.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { wordingsOf } from '../native-host/corpus/questions/wordings.ts';
import { embeddedModelFolder } from '../native-host/locations.ts';
import { openBaseModel } from '../native-host/model/open-model.ts';
import { openServices } from '../native-host/open-services.ts';
import { bytesIn } from '../native-host/store/folder-contents.ts';
import type { AbsorbRequest } from '../native-host/study/absorb.ts';
import { readRepository } from '../native-host/study/repository.ts';
import { type MeasuredVersion, measureVersion } from './measured-version.ts';
import { copyMillion, packagesOfMillion } from './million-corpus.ts';
import { askedFacts } from './repositories/changes.ts';
import { machineAndDay } from './results.ts';

const { values: options } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
const minutes = Number(options.minutes);
const mostProbes = 100;
const modules = fileURLToPath(new URL('../node_modules', import.meta.url));
const page = fileURLToPath(new URL('../bench/SCALE.md', import.meta.url));
const scratch = await mkdtemp(join(tmpdir(), 'lift-scale-'));
const folder = join(scratch, 'million');
const storeRoot = join(scratch, 'store');
const services = await openServices({ storeRoot, device: 'cpu' });
const files = { model: embeddedModelFolder(), cache: join(storeRoot, 'float32'), folder };

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const secondsText = (value: number) => `${value < 10 ? value.toFixed(2) : value.toFixed(0)} s`;
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
const peak = () => 1024 * process.resourceUsage().maxRSS;

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const started = performance.now();
  const result = await work();
  return [result, (performance.now() - started) / 1000];
}

function absorb(request: AbsorbRequest, stopAfterSeconds?: number) {
  const signal =
    stopAfterSeconds === undefined ? new AbortController().signal : AbortSignal.timeout(1000 * stopAfterSeconds);
  return timed(() => services.absorb(folder, request, { signal, whileRunning: async () => {}, onProgress: () => {} }));
}

/** What changed is learned first; the absorption, which its minutes did not finish, would go on and is stopped there. */
async function refresh(): Promise<{ version: number; seconds: number }> {
  const stop = new AbortController();
  const started = performance.now();
  let saved = false;
  let seconds = Number.NaN;
  const { version } = await services.absorb(
    folder,
    { minutes },
    {
      signal: stop.signal,
      whileRunning: async () => {},
      onProgress: ({ phase }) => {
        if (phase === 'save') saved = true;
        else if (saved && !stop.signal.aborted) {
          seconds = (performance.now() - started) / 1000;
          stop.abort();
        }
      },
    },
  );
  if (version === null || Number.isNaN(seconds)) throw new Error('the edit was not refreshed before all else');
  return { version, seconds };
}

try {
  await copyMillion(modules, folder);
  const rows: string[] = [];
  const note = (what: string, took: number) => {
    rows.push(`| ${what} | ${secondsText(took)} | ${megabytes(peak())} |`);
    console.log(rows.at(-1));
  };
  const [before, scanned] = await timed(() => services.status(folder));
  note('scan and read', scanned);
  const [again, unchanged] = await timed(() => services.status(folder));
  note(`look for changes in ${again.documents} files`, unchanged);
  const [, halfSeconds] = await absorb({ minutes }, 30 * minutes);
  note('absorb, until it is stopped at half of its minutes', halfSeconds);
  const [whole, wholeSeconds] = await absorb({ minutes });
  note('go on to the end', wholeSeconds);
  const adapter = services.store.adapter(folder, (await services.adapters())[0]!.baseModelKey);
  const last = await measureVersion(files, adapter, whole.version!, mostProbes);
  const change = await changeConstant();
  const refreshed = await refresh();
  note(`refresh after an edit of ${change.path}, until its version is saved`, refreshed.seconds);
  const after = await measureVersion(files, adapter, refreshed.version, mostProbes);
  const { answer } = await services.ask(
    {
      folder,
      question: change.question,
      useAdapter: true,
      openFiles: [],
      maxTokens: 32,
      temperature: 0,
      topP: 1,
      conversation: [],
    },
    () => {},
    new AbortController().signal,
  );
  const disk = await bytesIn(storeRoot);
  const status = (what: string, { told, measured, visited, documents, ...match }: MeasuredVersion) =>
    `| ${what} | ${visited} of ${documents} | ${percent(told)} | ${percent(measured)} | ${percent(match.trained)} | ${percent(match.heldBack)} |`;
  await writeFile(
    page,
    `${[
      '# A million tokens',
      '',
      `Command: \`node dist/bench-scale.js --minutes ${minutes}\`. ${machineAndDay()}; the embedded model on cpu.`,
      `${before.tokens.toLocaleString('en-US')} tokens in ${before.documents.toLocaleString('en-US')} files of ${packagesOfMillion.map(([name]) => name).join(', ')};`,
      'the embedded model was trained on none of them.',
      '',
      '| what | time | peak memory so far |',
      '| --- | ---: | ---: |',
      ...rows,
      '',
      `On disk: ${megabytes(disk)} in the store, the model's float32 weights, two versions and a checkpoint among them. Trained tokens: ${whole.trainedTokens.toLocaleString('en-US')}.`,
      '',
      '| after | files visited | absorbed, as told | as measured | exact, trained wording | exact, new wording |',
      '| --- | ---: | ---: | ---: | ---: | ---: |',
      status('the absorption', last),
      status('the refresh', after),
      '',
      `As measured: every visited file, whole; others count nothing. Exact: ${last.probes} probes about visited files (base model ${percent(last.baseTrained)} and ${percent(last.baseHeldBack)}).`,
      `The edit: in ${change.path}, ${change.name} from ${change.from} to ${change.to}. Asked "${change.question}", the adapter answers \`${answer.trim()}\`.`,
    ].join('\n')}\n`,
  );
  console.log(`wrote ${page}`);
} finally {
  await services.close();
  await rm(scratch, { recursive: true, force: true });
}

/** Another value for a numeric constant of a file that was absorbed. */
async function changeConstant() {
  const model = await openBaseModel(files.model, { folder: files.cache, form: 'F32' });
  const known = new Map((await services.coverage(folder)).map(({ path, absorbed }) => [path, absorbed]));
  const constants = (await askedFacts(model, await readRepository(folder, model.tokenizer, null))).filter(
    ({ kind, answer, path }) => kind === 'constant-value' && /^\d{2,}$/.test(answer) && (known.get(path) ?? 0) > 0.3,
  );
  const [fact] = constants.sort((a, b) => known.get(b.path)! - known.get(a.path)! || (a.id < b.id ? -1 : 1));
  if (fact === undefined) throw new Error('no absorbed file has a numeric constant: give more minutes');
  const file = join(folder, fact.path);
  const lines = (await readFile(file, 'utf8')).split('\n');
  const to = String(Number(fact.answer) + 111);
  lines[fact.line - 1] = lines[fact.line - 1]!.replace(fact.answer, to);
  await writeFile(file, lines.join('\n'));
  const question = wordingsOf(fact).find(({ heldBack }) => heldBack)!.text;
  return { path: fact.path, name: fact.subject, from: fact.answer, to, question };
}
