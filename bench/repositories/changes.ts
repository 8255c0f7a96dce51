// Edits, renames and removals in an absorbed repository: whether a refresh learns what is new, forgets what is gone, and
// keeps the rest, and how long it takes. What is new, gone and kept is told by the facts before and after the change.
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Fact, factKey } from '../../native-host/corpus/questions/fact.ts';
import { allFactsIn } from '../../native-host/corpus/questions/facts.ts';
import { readRepository as readSymbols } from '../../native-host/corpus/questions/repository.ts';
import { wordingsOf } from '../../native-host/corpus/questions/wordings.ts';
import type { BaseModel } from '../../native-host/model/open-model.ts';
import type { Device } from '../../native-host/runtime/device.ts';
import { type Adapter, openMeasurable, probesOf } from '../../native-host/study/probe.ts';
import { chosenFacts, type Repository, readRepository } from '../../native-host/study/repository.ts';
import { exactAnswers } from '../../native-host/train/measure.ts';
import { recipeFor } from '../../native-host/train/recipe.ts';

export interface Change {
  name: string;
  apply(folder: string): Promise<void>;
}

/** Of semver's sources. Each builds on the one before. Errors: Error where a file is not what is edited. */
export const changes: readonly Change[] = [
  {
    name: 'edit: `SEMVER_SPEC_VERSION` from 2.0.0 to 7.4.1',
    apply: (folder) => edit(join(folder, 'internal/constants.js'), "SPEC_VERSION = '2.0.0'", "SPEC_VERSION = '7.4.1'"),
  },
  {
    name: 'edit: three more constants',
    apply: async (folder) => {
      const file = join(folder, 'internal/constants.js');
      await edit(file, 'MAX_LENGTH = 256', 'MAX_LENGTH = 512');
      await edit(file, 'MAX_SAFE_COMPONENT_LENGTH = 16', 'MAX_SAFE_COMPONENT_LENGTH = 24');
      await edit(file, 'MAX_SAFE_BUILD_LENGTH = MAX_LENGTH - 6', 'MAX_SAFE_BUILD_LENGTH = MAX_LENGTH - 9');
    },
  },
  {
    name: 'rename: functions/neq.js to functions/not-equal.js, and its imports',
    apply: async (folder) => {
      await rename(join(folder, 'functions/neq.js'), join(folder, 'functions/not-equal.js'));
      await edit(join(folder, 'index.js'), "require('./functions/neq')", "require('./functions/not-equal')");
      await edit(join(folder, 'functions/cmp.js'), "require('./neq')", "require('./not-equal')");
    },
  },
  {
    name: 'remove: functions/truncate.js, and its import',
    apply: async (folder) => {
      await rm(join(folder, 'functions/truncate.js'));
      await edit(join(folder, 'index.js'), "const truncate = require('./functions/truncate')\n", '');
      await edit(join(folder, 'index.js'), '  truncate,\n', '');
    },
  },
];

async function edit(file: string, from: string, to: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  if (!text.includes(from)) throw new Error(`${file} is not what this benchmark edits: there is no ${from}`);
  await writeFile(
    file,
    text.replace(from, () => to),
  );
}

export interface FactsOfChange {
  /** Facts with a new answer, and those of what was not there before. */
  fresh: Fact[];
  /** Facts that hold no more, whether or not another took their place. */
  gone: Fact[];
  kept: Fact[];
}

export interface FactsOfFolder {
  /** Those that an absorption asks about. */
  asked: Fact[];
  /** Those and all others that could be asked. */
  holding: readonly Fact[];
}

export function factsOfChange(before: FactsOfFolder, after: FactsOfFolder): FactsOfChange {
  const askedBefore = new Set(before.asked.map(({ id }) => id));
  const heldBefore = new Set(before.holding.map(said));
  const holdsNow = new Set(after.holding.map(said));
  return {
    fresh: after.asked.filter((fact) => !heldBefore.has(said(fact))),
    gone: before.asked.filter((fact) => !holdsNow.has(said(fact))),
    kept: after.asked.filter(({ id }) => askedBefore.has(id)),
  };
}

/** The facts of a folder as it is now. */
export async function factsOfFolder(model: BaseModel, folder: string): Promise<FactsOfFolder> {
  const repository = await readRepository(folder, model.tokenizer, null);
  const symbols = await readSymbols(repository.documents);
  return { asked: await askedFacts(model, repository), holding: await allFactsIn(symbols) };
}

/** Those that an absorption asks about. */
export function askedFacts(model: BaseModel, repository: Repository): Promise<Fact[]> {
  return chosenFacts(repository, recipeFor(model.parameters, model.config.maxPositionEmbeddings));
}

/** A fact that only moved to another line or file is the same. */
function said(fact: Fact): string {
  return `${factKey(fact)}\0${fact.answer}`;
}

/** Shares of facts that an adapter answers exactly, in a wording that is trained and in one that never is. */
export interface KnownShare {
  facts: number;
  trained: number;
  heldBack: number;
}

const mostProbes = 400;

export async function knownShare(
  device: Device,
  model: BaseModel,
  adapter: Adapter,
  facts: readonly Fact[],
): Promise<KnownShare> {
  const { shape } = recipeFor(model.parameters, model.config.maxPositionEmbeddings, adapter.layout.kind).full;
  const probes = probesOf(
    facts.filter((fact) => wordingsOf(fact).some(({ heldBack }) => heldBack)),
    mostProbes,
  );
  const measurable = await openMeasurable(device, model, adapter, shape);
  try {
    const share = async (kind: 'trained' | 'heldBack') => {
      const questions = probes.map((probe) => ({ question: probe[kind], answer: probe.fact.answer }));
      const answers = await exactAnswers(measurable, model, questions, shape);
      return answers.filter(Boolean).length / Math.max(1, probes.length);
    };
    return { facts: probes.length, trained: await share('trained'), heldBack: await share('heldBack') };
  } finally {
    await measurable.close();
  }
}
