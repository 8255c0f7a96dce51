/** What is known of a folder, and how news changes it. */
import type { CoverageEntry, PackageStatus, StatusResult } from '../../protocol/host.ts';
import type { FolderShare, FolderState } from '../../protocol/view.ts';
import type { RememberedFolder } from './folder-memory.ts';
import { folderShares } from './folder-shares.ts';

export function initialState(folder: string, name: string, remembered: RememberedFolder | null): FolderState {
  const { wanted = null, ...known } = remembered ?? {};
  return {
    folder,
    name,
    phase: wanted === 'paused' ? 'paused' : 'unknown',
    message: null,
    documents: 0,
    tokens: 0,
    absorbed: 0,
    dirty: 0,
    version: null,
    absorbedAt: null,
    absorbedCommit: null,
    adapterBytes: 0,
    skipped: [],
    byFolder: [],
    progress: null,
    losses: [],
    ...known,
  };
}

/** The phases in which nothing is being done: what the host says decides between them. */
const atRest: ReadonlySet<FolderState['phase']> = new Set(['unknown', 'empty', 'idle']);

export function withStatus(state: FolderState, status: StatusResult): FolderState {
  const { documents, tokens, absorbed, dirty, version, absorbedAt, absorbedCommit, adapterBytes, skipped, recipe } =
    status;
  const { arrangement, packages, isConsolidationDue } = status;
  const made = {
    ...{ version, absorbedAt, absorbedCommit, adapterBytes },
    ...(isConsolidationDue === undefined ? {} : { isConsolidationDue }),
    ...(recipe === undefined ? {} : { recipe }),
    ...(arrangement === undefined ? {} : { arrangement }),
    ...(packages === undefined ? {} : { byPackage: packages.map(packageShare) }),
  };
  // What the host says no more is so no more.
  const { recipe: _r, arrangement: _a, byPackage: _p, isConsolidationDue: _d, ...lasting } = state;
  const known = { ...lasting, documents, tokens, absorbed, dirty, ...made, skipped };
  return atRest.has(state.phase) ? { ...known, phase: version === null ? 'empty' : 'idle', message: null } : known;
}

function packageShare({ folder, tokens, absorbed, dirty }: PackageStatus): FolderShare {
  return { path: folder, tokens, absorbed, dirty };
}

export function withCoverage(state: FolderState, coverage: ReadonlyMap<string, CoverageEntry>): FolderState {
  return { ...state, byFolder: folderShares(coverage.values()) };
}
