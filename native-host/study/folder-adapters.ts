/** The adapters that a folder has, of everything and of its packages, and what each of them knows. */
import type { AdapterFolder } from '../store/adapter-folder.ts';
import { type Arrangement, readArrangement } from '../store/arrangement.ts';
import type { AdapterVersion } from '../store/manifest.ts';
import { holderOf } from './arrangement.ts';
import { type Ledger, readLedger } from './ledger.ts';
import { type Part, partsOf } from './parts.ts';
import type { Repository } from './repository.ts';

export interface FolderAdapters {
  /** Of everything in it. Its lock stands for the folder's, and beside it lies how they are arranged. */
  whole: AdapterFolder;
  ofPackage(folder: string): AdapterFolder;
}

/** A package and its own adapter. */
export interface ArrangedPart extends Part {
  adapter: AdapterFolder;
  current: AdapterVersion | null;
}

export interface ArrangedFolder {
  /** How the adapters that there are, are arranged; null where there are none. */
  arrangement: Arrangement | null;
  /** None where no packages are declared. */
  parts: ArrangedPart[];
  /** Of the adapter of everything. */
  current: AdapterVersion | null;
}

/** Errors: StoreError where a manifest is damaged. */
export async function arrangedFolder(repository: Repository, adapters: FolderAdapters): Promise<ArrangedFolder> {
  const { whole, ofPackage } = adapters;
  const note = await readArrangement(whole.path);
  const current = await currentOf(whole);
  const parts = await Promise.all(
    partsOf(repository, note?.arrangement === 'each' ? note.packages : []).map(async (part) => {
      const adapter = ofPackage(part.package);
      return { ...part, adapter, current: await currentOf(adapter) };
    }),
  );
  const isAny = current !== null || parts.some((part) => part.current !== null);
  // Before there were arrangements, every folder had one adapter.
  const unnoted = current === null ? 'each' : 'whole';
  return { arrangement: isAny ? (note?.arrangement ?? unnoted) : null, parts, current };
}

/** What answers for a folder, or for one package of it. */
export interface KnownPart {
  /** The package's folder; null: everything. */
  package: string | null;
  repository: Repository;
  adapter: AdapterFolder;
  current: AdapterVersion | null;
  /** What that has learned of this part; null where nothing tells. */
  ledger(): Promise<Ledger | null>;
  /** Whether the adapter is that of everything, since the package's own is not there or not finished. */
  byWhole: boolean;
}

/** One part, or where packages have adapters of their own, those that answer now; see `holderOf`. */
export function knownParts(
  repository: Repository,
  { whole }: FolderAdapters,
  { arrangement, parts, current }: ArrangedFolder,
): KnownPart[] {
  const holders = parts.map((part) => holderOf(arrangement ?? 'whole', part.current, current));
  const ofWhole = () => ledgerOf(whole, current);
  if (!holders.includes('own')) {
    return [{ package: null, repository, adapter: whole, current, ledger: ofWhole, byWhole: false }];
  }
  return parts.map((part, index) => {
    const { package: name, repository: within, holds } = part;
    const byWhole = holders[index] === 'whole';
    return byWhole
      ? {
          package: name,
          repository: within,
          adapter: whole,
          current,
          ledger: () => ofWhole().then(only(holds)),
          byWhole,
        }
      : { ...part, ledger: () => ledgerOf(part.adapter, part.current), byWhole };
  });
}

async function currentOf(adapter: AdapterFolder): Promise<AdapterVersion | null> {
  const manifest = await adapter.manifest();
  return manifest?.versions.find(({ version }) => version === manifest.current) ?? null;
}

function ledgerOf(adapter: AdapterFolder, current: AdapterVersion | null): Promise<Ledger | null> {
  return readLedger(adapter.path, current?.note.ledger);
}

/** What a ledger says of some documents. */
function only(holds: (path: string) => boolean): (ledger: Ledger | null) => Ledger | null {
  return (ledger) => {
    if (ledger === null) return null;
    const documents = new Map([...ledger.documents].filter(([path]) => holds(path)));
    const lessons = new Map([...ledger.lessons].filter(([, { path }]) => holds(path)));
    return { ...ledger, documents, lessons };
  };
}
