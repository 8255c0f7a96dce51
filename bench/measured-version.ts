// A version of an adapter measured apart from what the absorption told: the share of the corpus that is predicted right,
// and probes. Documents that the version has not visited count nothing, and are not asked about.
import { workerFile } from '../native-host/locations.ts';
import { openBaseModel } from '../native-host/model/open-model.ts';
import { openOnnxDevice } from '../native-host/runtime/onnx/onnx-device.ts';
import type { AdapterFolder } from '../native-host/store/adapter-folder.ts';
import { readLedger } from '../native-host/study/ledger.ts';
import { type Adapter, openMeasurable, probesOf } from '../native-host/study/probe.ts';
import { chosenFacts, readRepository } from '../native-host/study/repository.ts';
import { exactAnswers, measureItems, recallItems } from '../native-host/train/measure.ts';
import { recipeFor } from '../native-host/train/recipe.ts';

export interface MeasuredVersion {
  /** Share of the corpus that is predicted right, as it was told and as it is. */
  told: number;
  measured: number;
  documents: number;
  visited: number;
  /** Exact answers to probes about visited documents, in wordings of both kinds. */
  probes: number;
  trained: number;
  heldBack: number;
  baseTrained: number;
  baseHeldBack: number;
}

export async function measureVersion(
  files: { model: string; cache: string; folder: string },
  adapter: AdapterFolder,
  version: number,
  mostProbes = 200,
): Promise<MeasuredVersion> {
  const model = await openBaseModel(files.model, { folder: files.cache, form: 'F32' });
  const device = openOnnxDevice('cpu', workerFile);
  try {
    const loaded = (await adapter.loadVersion(version))!;
    const ledger = (await readLedger(adapter.path, loaded.version.note.ledger))!;
    const repository = await readRepository(files.folder, model.tokenizer, null);
    const { documents, tokens, tokenCount } = repository;
    const recipe = recipeFor(model.parameters, model.config.maxPositionEmbeddings, loaded.layout.kind);
    const { shape } = recipe.full;
    const visited = new Set(
      documents.filter(({ path }) => (ledger.documents.get(path)?.counted ?? 0) > 0).map(({ path }) => path),
    );
    const facts = (await chosenFacts(repository, recipe)).filter(({ path }) => visited.has(path));
    const probes = probesOf(facts, mostProbes);
    function* itemsOf(paths: Iterable<string>) {
      for (const path of paths) yield* recallItems(model, path, tokens.get(path)!, recipe.segmentLength);
    }
    const score = async (arm: Adapter | null) => {
      const measurable = await openMeasurable(device, model, arm, shape);
      const exact = async (kind: 'trained' | 'heldBack') => {
        const questions = probes.map((probe) => ({ question: probe[kind], answer: probe.fact.answer }));
        const answers = await exactAnswers(measurable, model, questions, shape);
        return answers.filter(Boolean).length / Math.max(1, probes.length);
      };
      let known = 0;
      const counts = await measureItems(measurable, arm === null ? [] : itemsOf(visited), shape);
      for (const [path, { correct, counted }] of counts)
        known += (tokens.get(path as string)!.length * correct) / counted;
      const scores = { share: known / tokenCount, trained: await exact('trained'), heldBack: await exact('heldBack') };
      await measurable.close();
      return scores;
    };
    const base = await score(null);
    const adapted = await score(loaded);
    return {
      told: Number(loaded.version.note.absorbed),
      measured: adapted.share,
      documents: documents.length,
      visited: visited.size,
      probes: probes.length,
      trained: adapted.trained,
      heldBack: adapted.heldBack,
      baseTrained: base.trained,
      baseHeldBack: base.heldBack,
    };
  } finally {
    await device.close();
  }
}
