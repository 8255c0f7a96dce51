/** A training's result as a version of its adapter, with its ledger beside it. */
import type { AdapterLayout } from '../model/adapter-layout.ts';
import type { AdapterFolder } from '../store/adapter-folder.ts';
import type { AdapterVersion } from '../store/manifest.ts';
import type { LoadedVersion } from '../store/version-file.ts';
import { type Ledger, removeUnnamedLedgers, writeLedger } from './ledger.ts';
import type { Method } from './method.ts';
import type { Repository } from './repository.ts';

export interface TrainedVersion {
  layout: AdapterLayout;
  vector: Float32Array;
  /** Whether the training was to learn everything, or what another one of everything had left. */
  isOfAll: boolean;
  repository: Repository;
  ledger: Ledger;
  /** Share of the corpus's tokens that are predicted right. */
  absorbed: number;
  /** How many of its tokens a refresh learned. */
  learned: number;
  /** Whether every lesson was learned. */
  complete: boolean;
  /** How it was trained, in a line, and by what method. */
  reason: string;
  method: Method;
  /** The version that was current. */
  past: LoadedVersion | null;
}

/** Errors: StoreError. */
export async function saveVersion(adapter: AdapterFolder, trained: TrainedVersion): Promise<AdapterVersion> {
  const { layout, vector, isOfAll, repository, ledger, absorbed, learned, complete, reason, method } = trained;
  const past = trained.past?.version.note;
  const version = await adapter.saveVersion(layout, vector, {
    tree: repository.tree,
    commit: repository.commit,
    complete,
    // A refresh goes on from what once was whole, and may be compared with it.
    whole: isOfAll ? complete : past?.whole,
    absorbedWhole: isOfAll ? absorbed : past?.absorbedWhole,
    refreshedTokens: isOfAll ? 0 : Number(past?.refreshedTokens ?? 0) + learned,
    kind: layout.kind,
    recipe: reason,
    method: [...method],
    ledger: await writeLedger(adapter.path, ledger),
    absorbed,
    documents: repository.documents.length,
    tokens: repository.tokenCount,
    folder: repository.folder,
  });
  const versions = await adapter.versions();
  const named = versions.map(({ note }) => note.ledger);
  await removeUnnamedLedgers(adapter.path, named);
  return version;
}
