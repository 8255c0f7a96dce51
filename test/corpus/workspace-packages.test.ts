import { expect, test } from 'vitest';
import { documentFrom } from '../../native-host/corpus/documents.ts';
import { globMatcher } from '../../native-host/corpus/glob.ts';
import { packageFinder, packageNames, workspacePackages } from '../../native-host/corpus/workspace-packages.ts';

const declared = (files: Record<string, string>) =>
  workspacePackages(Object.entries(files).map(([path, text]) => documentFrom(path, text)));

const empty = (manifest: string, ...folders: string[]) =>
  Object.fromEntries(folders.map((folder) => [`${folder}/${manifest}`, '{}']));

test.each<[string, Record<string, string>, string[]]>([
  [
    'npm and yarn: a list',
    {
      'package.json': '{"workspaces":["packages/*","tools/cli"]}',
      ...empty('package.json', 'packages/b', 'packages/a', 'tools/cli', 'tools/x'),
    },
    ['packages/a', 'packages/b', 'tools/cli'],
  ],
  [
    'yarn: an object, and what is left out of it',
    {
      'package.json': '{"workspaces":{"packages":["./packages/**/","!packages/old/*"]}}',
      ...empty('package.json', 'packages/a', 'packages/ui/button', 'packages/old/b'),
    },
    ['packages/a', 'packages/ui/button'],
  ],
  [
    'pnpm: items, quoted or not, with comments',
    {
      'package.json': '{}',
      'pnpm-workspace.yaml':
        "catalog:\n  a: 1\npackages: # all\n  # libraries\n  - 'libs/*'\n  - apps/web # the site\n- \"more/?\"\n  - '!libs/c'\nother:\n  - tools/x\n",
      ...empty('package.json', 'libs/a', 'libs/c', 'apps/web', 'more/b', 'more/cd', 'tools/x'),
    },
    ['apps/web', 'libs/a', 'more/b'],
  ],
  [
    'pnpm: in brackets',
    { 'pnpm-workspace.yaml': 'packages: ["a", \'b/{c,d}\']\n', ...empty('package.json', 'a', 'b/c', 'b/d', 'b/e') },
    ['a', 'b/c', 'b/d'],
  ],
  [
    'Cargo: over several lines, without its default members',
    {
      'Cargo.toml':
        '[package]\nname = "top"\nmembers = ["no"]\n\n[workspace]\ndefault-members = ["no"]\nmembers = [ # "no"\n  "crates/*",\n  \'cli\', ]\nexclude = ["crates/old"]\n\n[workspace.dependencies]\nmembers = ["no"]\n',
      ...empty('Cargo.toml', 'crates/a', 'crates/old', 'cli', 'no'),
    },
    ['cli', 'crates/a'],
  ],
  [
    'uv',
    {
      'pyproject.toml': '[tool.uv.workspace]\nmembers = ["libs/*"]\n[tool.uv]\n',
      ...empty('pyproject.toml', 'libs/a', 'x'),
    },
    ['libs/a'],
  ],
  [
    'Go: a block and single lines',
    {
      'go.work': 'go 1.22\n\nuse (\n\t./a // first\n\t"./b/c"\n)\nuse ./d\nuse .\n',
      ...empty('go.mod', 'a', 'b/c', 'd', 'e'),
    },
    ['a', 'b/c', 'd'],
  ],
  [
    'two tools at once',
    {
      'package.json': '{"workspaces":["js/*"]}',
      'Cargo.toml': '[workspace]\nmembers = ["rust/*"]',
      ...empty('package.json', 'js/a'),
      ...empty('Cargo.toml', 'rust/b'),
    },
    ['js/a', 'rust/b'],
  ],
  [
    'a folder without a manifest is none',
    { 'package.json': '{"workspaces":["packages/*"]}', 'packages/a/index.js': '1' },
    [],
  ],
  ['only the top declares', { 'x/package.json': '{"workspaces":["*"]}', ...empty('package.json', 'x/a') }, []],
  [
    'what cannot be read declares nothing',
    { 'package.json': '{"workspaces":["packages/*"', ...empty('package.json', 'packages/a') },
    [],
  ],
  [
    'neither the top nor what lies above',
    { 'package.json': '{"workspaces":[".","../x",7]}', ...empty('package.json', 'a') },
    [],
  ],
])('%s', (_, files, wanted) => {
  expect(declared(files)).toEqual(wanted);
});

test('a document is in the innermost package that holds it', () => {
  const packageOf = packageFinder(['packages/a', 'packages/a/plugins/b', 'c']);
  expect(
    ['packages/a/x.ts', 'packages/a/plugins/b/y/z.ts', 'packages/ab/x.ts', 'c/x', 'README.md', 'packages/x'].map(
      packageOf,
    ),
  ).toEqual(['packages/a', 'packages/a/plugins/b', '.', 'c', '.', '.']);
});

test('packages are called as their manifests call them', () => {
  const documents = [
    documentFrom('a/package.json', '{ "name": "@acme/core", "version": "1.0.0" }'),
    documentFrom('b/Cargo.toml', '[package]\nname = "acme-b"\n'),
    documentFrom('c/go.mod', 'module example.org/acme/c\n\ngo 1.22\n'),
    documentFrom('d/pyproject.toml', '[project]\nname = "acme_d"\n'),
    documentFrom('e/package.json', '{}'),
  ];
  expect([...packageNames(documents, ['a', 'b', 'c', 'd', 'e'])]).toEqual([
    ['a', ['@acme/core']],
    ['b', ['acme-b']],
    ['c', ['example.org/acme/c']],
    ['d', ['acme_d']],
    ['e', []],
  ]);
});

test.each([
  ['packages/*', 'packages/a', true],
  ['packages/*', 'packages/a/b', false],
  ['packages/**', 'packages/a/b', true],
  ['**/lib', 'a/b/lib', true],
  ['**/lib', 'lib', true],
  ['*-x', 'a-x', true],
  ['a*c*e', 'abcde', true],
  ['a*c*e', 'abcd', false],
  ['a/{b,c/{d,e}}', 'a/c/e', true],
  ['a/{b,c}', 'a/d', false],
  ['a.b', 'aab', false],
  ['packages', 'packages', true],
])('%s and %s: %s', (pattern, path, wanted) => {
  expect(globMatcher(pattern)(path)).toBe(wanted);
});

test('a pattern that would keep another matcher busy for ever', () => {
  expect(globMatcher('*a'.repeat(40))(`${'a'.repeat(200)}b`)).toBe(false);
  expect(globMatcher('**/a/'.repeat(40))(`${'a/'.repeat(200)}b`)).toBe(false);
  expect(globMatcher('{a,b}'.repeat(60))('ab')).toBe(false);
});
