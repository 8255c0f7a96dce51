// Which package of a monorepo questions are sent to, and which they are about. Nothing is trained.
import { factKey } from '../../native-host/corpus/questions/fact.ts';
import { outsidePackages } from '../../native-host/corpus/workspace-packages.ts';
import type { BaseModel } from '../../native-host/model/open-model.ts';
import { choosePackage } from '../../native-host/study/choose-package.ts';
import { Lookup } from '../../native-host/study/lookup.ts';
import { type Part, partsOf } from '../../native-host/study/parts.ts';
import { type ProbeQuestion, probesOf } from '../../native-host/study/probe.ts';
import { chosenFacts, readRepository } from '../../native-host/study/repository.ts';
import { recipeFor } from '../../native-host/train/recipe.ts';

export interface PackageProbe extends ProbeQuestion {
  package: string;
}

export interface Routed {
  parts: Part[];
  probes: PackageProbe[];
  /** Where each probe is sent in the wording of that kind, with nothing open and nothing asked before. */
  trained: string[];
  heldBack: string[];
}

/** At most so many probes of each package, about facts that hold for the whole as well: a name that several packages have is none. */
export async function routed(model: BaseModel, folder: string, probesOfPackage: number): Promise<Routed> {
  const recipe = recipeFor(model.parameters, model.config.maxPositionEmbeddings);
  const repository = await readRepository(folder, model.tokenizer, null);
  const parts = partsOf(repository);
  const ofWhole = new Set((await chosenFacts(repository, recipe)).map((fact) => `${factKey(fact)}\0${fact.answer}`));
  const probes: PackageProbe[] = [];
  for (const part of parts) {
    if (part.package === outsidePackages) continue;
    const facts = await chosenFacts(part.repository, recipe);
    const common = facts.filter((fact) => ofWhole.has(`${factKey(fact)}\0${fact.answer}`));
    probes.push(...probesOf(common, probesOfPackage).map((probe) => ({ ...probe, package: part.package })));
  }
  const lookup = new Lookup(model.tokenizer);
  await lookup.bringTo(repository);
  const sent = async (kind: 'trained' | 'heldBack') => {
    const names: string[] = [];
    for (const probe of probes) {
      const asked = { question: probe[kind], conversation: [], openFiles: [] };
      names.push(await choosePackage(asked, parts, async () => lookup));
    }
    return names;
  };
  return { parts, probes, trained: await sent('trained'), heldBack: await sent('heldBack') };
}

/** Share of the probes that are sent where they belong. */
export function sentRight({ probes }: Routed, sent: readonly string[]): number {
  return sent.filter((name, index) => name === probes[index]!.package).length / Math.max(1, sent.length);
}
