// States of the extension that the tests show on the page.
import type { ContextItem, FolderState, HostState, Turn, ViewState } from '../../protocol/view.ts';

export const host: HostState = {
  phase: 'ready',
  message: null,
  model: 'lift-base',
  device: 'cpu',
  memoryBytes: 412_000_000,
};

export const absorbedFolder: FolderState = {
  folder: '/projects/semver',
  name: 'semver',
  phase: 'idle',
  message: null,
  documents: 64,
  tokens: 88_214,
  absorbed: 0.964,
  dirty: 3,
  version: 7,
  absorbedAt: new Date(Date.now() - 12 * 60_000).toISOString(),
  absorbedCommit: '3f9c2b7e6a1d4c5b8e0f9a7d6c3b2a1f0e9d8c7b',
  adapterBytes: 15_600_000,
  skipped: [
    { path: '.env', reason: 'secret: named like a file of secrets' },
    { path: 'test/fixtures/key.pem', reason: 'secret: named like a private key' },
    ...Array.from({ length: 230 }, (_, index) => ({ path: `assets/icons/icon-${index}.png`, reason: 'binary' })),
    { path: 'dist/bundle.min.js', reason: 'generated' },
  ],
  byFolder: [
    { path: 'functions', tokens: 30_100, absorbed: 0.991, dirty: 0 },
    { path: 'classes', tokens: 24_000, absorbed: 0.98, dirty: 2 },
    { path: 'test', tokens: 20_500, absorbed: 0.93, dirty: 1 },
    { path: 'internal', tokens: 8000, absorbed: 0.95, dirty: 0 },
    { path: '', tokens: 5614, absorbed: 0.88, dirty: 0 },
  ],
  progress: null,
  losses: Array.from({ length: 60 }, (_, index) => ({
    step: 1 + index * 15,
    loss: 0.12 + 4.4 * Math.exp(-index / 11) + 0.12 * Math.abs(Math.sin(index * 1.7)),
  })),
};

export const newFolder: FolderState = {
  ...absorbedFolder,
  phase: 'empty',
  absorbed: 0,
  dirty: 0,
  version: null,
  absorbedAt: null,
  absorbedCommit: null,
  adapterBytes: 0,
  byFolder: [],
  losses: [],
};

export const absorbingFolder: FolderState = {
  ...absorbedFolder,
  phase: 'busy',
  dirty: 12,
  progress: {
    phase: 'train',
    step: 412,
    documentsSeen: 41,
    loss: 0.62,
    tokensPerSecond: 2310,
    secondsLeft: 190,
    done: 0.42,
  },
  losses: absorbedFolder.losses.slice(0, 28),
};

export const context: ContextItem[] = [
  { id: 'selection', kind: 'selection', path: 'functions/parse.js', startLine: 10, endLine: 24, unsaved: false },
  { id: 'active', kind: 'active', path: 'functions/parse.js', startLine: null, endLine: null, unsaved: true },
  { id: 'open-range', kind: 'open', path: 'classes/range.js', startLine: null, endLine: null, unsaved: false },
];

export function turn(change: Partial<Turn> = {}): Turn {
  return {
    id: 'turn-1',
    folder: '/projects/semver',
    question: 'How is a version string parsed?',
    mentions: [],
    answer: '',
    phase: 'done',
    message: null,
    citations: [],
    unknownPaths: [],
    unknownSymbols: [],
    shown: [],
    version: 7,
    firstTokenMs: 312,
    tokensPerSecond: 48.3,
    ...change,
  };
}

export function viewState(change: Partial<ViewState> = {}, turns: Turn[] = []): ViewState {
  return {
    host,
    folders: [absorbedFolder],
    conversation: { id: 'conversation-1', title: turns[0]?.question ?? '', turns },
    history: [],
    context: [],
    switches: { adapter: true, evidence: false, openFiles: true },
    words: {},
    ...change,
  };
}

export const finishedTurn = turn({
  mentions: [{ folder: '/projects/semver', path: 'functions/parse.js' }],
  answer: `\`parse\` in functions/parse.js:4 turns a string into a **SemVer** object; it gives \`null\` where the string is no version.

1. A \`SemVer\` is returned as it is.
2. Otherwise the constructor in \`classes/semver.js\` matches the text against \`re[t.FULL]\`.
3. What it throws is caught, unless \`throwErrors\` is set.

\`\`\`js
const parse = (version, options, throwErrors = false) => {
  if (version instanceof SemVer) return version;
  try {
    return new SemVer(version, options);
  } catch (er) {
    if (!throwErrors) return null;
    throw er;
  }
};
\`\`\`

Ranges go through \`lib/range-parser.js\` and \`parseRangeStrict()\` first, see [the manual](https://semver.org).

| input | result |
|---|---|
| \`1.2.3\` | a SemVer |
| \`1.2\` | \`null\` |
`,
  citations: [
    { path: 'functions/parse.js', startLine: 4, endLine: 16 },
    { path: 'classes/semver.js', startLine: 9, endLine: 71 },
  ],
  unknownPaths: ['lib/range-parser.js'],
  unknownSymbols: ['parseRangeStrict'],
  shown: [
    { kind: 'open', path: 'functions/parse.js', startLine: 1, endLine: 18, state: 'whole' },
    { kind: 'dirty', path: 'classes/semver.js', startLine: 1, endLine: 120, state: 'cut' },
    { kind: 'evidence', path: 'classes/range.js', startLine: 40, endLine: 66, state: 'left out' },
    { kind: 'outline', path: null, startLine: null, endLine: null, state: 'whole' },
  ],
});
