import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

// ARCHITECTURE.md, "Invariants": each folder may import these and nothing else. A folder always may import itself.
const mayImport: Record<string, string[]> = {
  protocol: [],
  workspace: [],
  src: ['protocol', 'workspace'],
  webview: ['protocol'],
  'native-host/graph': [],
  'native-host/model': ['native-host/graph'],
  'native-host/corpus': ['workspace'],
  'native-host/runtime': ['native-host/graph', 'native-host/model'],
  'native-host/train': ['native-host/graph', 'native-host/model', 'native-host/corpus', 'native-host/runtime'],
  'native-host/generate': [
    'protocol',
    'native-host/graph',
    'native-host/model',
    'native-host/corpus',
    'native-host/runtime',
  ],
  'native-host/store': ['native-host/model'],
  'native-host/hub': ['native-host/model'],
  'native-host/study': [
    'protocol',
    'workspace',
    'native-host/graph',
    'native-host/model',
    'native-host/corpus',
    'native-host/runtime',
    'native-host/train',
    'native-host/generate',
    'native-host/store',
  ],
  'native-host/report': ['native-host/study'],
  'native-host/bench': [
    'native-host/graph',
    'native-host/model',
    'native-host/corpus',
    'native-host/runtime',
    'native-host/train',
    'native-host/generate',
  ],
  'native-host/cli': [
    'protocol',
    'workspace',
    'native-host',
    'native-host/bench',
    'native-host/hub',
    'native-host/report',
    'native-host/store',
    'native-host/study',
  ],
};

// Training and generating see a device's interface, never a device.
const onlyThroughInterface = ['native-host/train', 'native-host/generate', 'native-host/study'];
const runtimeInterface = 'native-host/runtime/device.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

function sourceFiles(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourceFiles(path);
    return /\.(ts|tsx|mts)$/.test(entry.name) ? [path] : [];
  });
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, target]) => target!);
}

/** The part of the project that a file belongs to: a top-level folder, or a folder of native-host. */
function partOf(file: string): string {
  const [top, second, ...rest] = file.split('/');
  return top === 'native-host' && rest.length > 0 ? `${top}/${second}` : top!;
}

const files = Object.keys(mayImport).flatMap(sourceFiles);

describe('the dependency rule', () => {
  test('covers every folder of the native host', () => {
    const folders = readdirSync(join(root, 'native-host'), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    expect(folders.map(({ name }) => `native-host/${name}`).filter((folder) => !(folder in mayImport))).toEqual([]);
    expect(files.length).toBeGreaterThan(100);
  });

  test('holds for every import', () => {
    const broken = files.flatMap((file) =>
      importsOf(file)
        .filter((target) => target.startsWith('.'))
        .map((target) => relative(root, resolve(root, dirname(file), target)))
        .filter((target) => {
          const from = partOf(file);
          const to = partOf(target);
          if (from !== to && !mayImport[from]!.includes(to)) return true;
          return to === 'native-host/runtime' && onlyThroughInterface.includes(from) && target !== runtimeInterface;
        })
        .map((target) => `${file} imports ${target}`),
    );
    expect(broken).toEqual([]);
  });

  test("only src imports 'vscode', only runtime imports a device's library", () => {
    const broken = files.flatMap((file) =>
      importsOf(file)
        .filter((target) => {
          if (target === 'vscode') return partOf(file) !== 'src';
          return /^(onnxruntime-|koffi)/.test(target) && partOf(file) !== 'native-host/runtime';
        })
        .map((target) => `${file} imports ${target}`),
    );
    expect(broken).toEqual([]);
  });

  test('only hub reaches the network', () => {
    const network =
      /^(node:)?(https?|net|tls|dgram|dns|http2)(\/.*)?$|^(undici|node-fetch|axios|got|@huggingface\/hub)$/;
    const others = files.filter((file) => partOf(file) !== 'native-host/hub');
    const broken = others.filter((file) => importsOf(file).some((target) => network.test(target)));
    const calls = others.filter((file) => /\bfetch\(/.test(readFileSync(join(root, file), 'utf8')));
    expect([...broken, ...calls]).toEqual([]);
  });
});
