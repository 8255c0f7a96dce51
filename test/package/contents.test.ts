// Each platform's VSIX holds what it needs, and nothing else.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makePackages, platforms } from './packaged-extension.ts';
import { type ZipEntry, zipEntries } from './zip-file.ts';

const megabyte = 1_000_000;

/** Code of NVIDIA's cards, which macOS has no drivers for. */
const kernels = 'dist/cuda-kernels.fatbin';

/** The files of each platform's own: onnxruntime's libraries, koffi's binding, kernels. */
const binariesOf = {
  'linux-x64': [kernels, 'linux/x64/libonnxruntime.so.1', 'linux/x64/onnxruntime_binding.node', 'linux_x64/koffi.node'],
  'linux-arm64': [
    kernels,
    'linux/arm64/libonnxruntime.so.1',
    'linux/arm64/onnxruntime_binding.node',
    'linux_arm64/koffi.node',
  ],
  'win32-x64': [kernels, ...windowsBinaries('x64'), 'win32_x64/koffi.node'],
  'win32-arm64': [kernels, ...windowsBinaries('arm64'), 'win32_arm64/koffi.node'],
  'darwin-arm64': [
    'darwin/arm64/libonnxruntime.1.dylib',
    'darwin/arm64/onnxruntime_binding.node',
    'darwin_arm64/koffi.node',
  ],
};

/** Everything else that may be in a VSIX, below `extension/`. */
const allowed = [
  /^package\.json$/,
  /^package\.nls(\.[a-z-]+)?\.json$/,
  /^l10n\/bundle\.l10n(\.[a-z-]+)?\.json$/,
  /^(LICENSE|THIRD-PARTY-NOTICES)\.txt$/,
  /^(readme|changelog)\.md$/,
  /^dist\/extension\.cjs$/,
  /^dist\/(main|worker|watch-worker|cuda-worker)\.js$/,
  /^dist\/webview\/[a-z-]+\.(js|css|ttf)$/,
  /^media\/(lift\.svg|icon\.png)$/,
  /^media\/walkthrough\/[a-z-]+\.(svg|png|md)$/,
  /^models\/lift-base\/(README\.md|config\.json|model\.safetensors|tokenizer(_config)?\.json)$/,
  /^dist\/node_modules\/onnxruntime-(node|common)\/(package\.json|dist\/[\w/-]+\.js(on)?)$/,
  /^dist\/node_modules\/koffi\/(package\.json|index\.js|src\/koffi\/(index|src\/static)\.js)$/,
  /^dist\/node_modules\/@koromix\/koffi-[a-z0-9-]+\/(package\.json|index\.js)$/,
  /^dist\/node_modules\/web-tree-sitter\/(package\.json|web-tree-sitter\.(js|wasm))$/,
  /^dist\/node_modules\/@vscode\/tree-sitter-wasm\/(package\.json|wasm\/tree-sitter-[a-z]+\.wasm)$/,
];

/** Without these it could not work. */
const required = [
  'package.json',
  'package.nls.json',
  'readme.md',
  'changelog.md',
  'LICENSE.txt',
  'THIRD-PARTY-NOTICES.txt',
  'dist/extension.cjs',
  'dist/main.js',
  'dist/worker.js',
  'dist/watch-worker.js',
  'dist/cuda-worker.js',
  'dist/webview/view.js',
  'dist/webview/view.css',
  'media/lift.svg',
  'media/icon.png',
  'models/lift-base/model.safetensors',
  'dist/node_modules/web-tree-sitter/web-tree-sitter.wasm',
  'dist/node_modules/@vscode/tree-sitter-wasm/wasm/tree-sitter-typescript.wasm',
  'dist/node_modules/onnxruntime-common/dist/cjs/index.js',
];

let files: Record<(typeof platforms)[number], string>;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lift-packages-'));
  files = makePackages(platforms, folder);
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(platforms)('the VSIX for %s', (platform) => {
  let entries: ZipEntry[];
  let paths: string[];
  beforeAll(() => {
    entries = zipEntries(files[platform]).filter(({ path }) => path.startsWith('extension/'));
    paths = entries.map(({ path }) => path.slice('extension/'.length));
  });
  const sizeOf = (path: string) => entries.find((entry) => entry.path === `extension/${path}`)!.size;

  it('is at most 100 MB', () => {
    expect(statSync(files[platform]).size).toBeLessThan(100 * megabyte);
  });

  it('holds this platform’s binaries and no others', () => {
    const binaries = paths.filter((path) => /\.(node|so(\.\d+)*|fatbin|dylib|dll|exe|lib)$/.test(path));
    const own = (path: string) => binariesOf[platform].find((binary) => `/${path}`.endsWith(`/${binary}`)) ?? path;
    expect(binaries.map(own).sort()).toEqual([...binariesOf[platform]].sort());
  });

  it('holds nothing that is not meant to be there', () => {
    const isBinary = (path: string) => binariesOf[platform].some((binary) => `/${path}`.endsWith(`/${binary}`));
    expect(paths.filter((path) => !isBinary(path) && !allowed.some((pattern) => pattern.test(path)))).toEqual([]);
  });

  it('holds all that it needs', () => {
    expect(required.filter((path) => !paths.includes(path))).toEqual([]);
  });

  it('has every file that its manifest names', () => {
    const manifest = JSON.parse(
      entries
        .find(({ path }) => path === 'extension/package.json')!
        .read()
        .toString(),
    );
    const named = [...JSON.stringify(manifest).matchAll(/"(?:\.\/)?((?:media|dist|l10n)\/[\w./-]+)"/g)].map(
      (match) => match[1]!,
    );
    expect(named.length).toBeGreaterThan(1);
    expect(named.filter((path) => !paths.some((other) => other === path || other.startsWith(`${path}/`)))).toEqual([]);
  });

  it('has a page for the marketplace without pictures that could not be shown', () => {
    const page = entries
      .find(({ path }) => path === 'extension/readme.md')!
      .read()
      .toString();
    expect(page).toContain('# LIFT');
    expect(page).not.toMatch(/!\[/);
  });

  it('has a manifest without what is for developers only', () => {
    const manifest = JSON.parse(
      entries
        .find(({ path }) => path === 'extension/package.json')!
        .read()
        .toString(),
    );
    expect(Object.keys(manifest)).not.toEqual(expect.arrayContaining(['devDependencies']));
    expect(manifest.dependencies ?? {}).toEqual({});
    expect(manifest.main).toBe('./dist/extension.cjs');
  });

  it('keeps the bundles small: the extension at most 500 kB, the page at most 1 MB', () => {
    expect(sizeOf('dist/extension.cjs')).toBeLessThan(0.5 * megabyte);
    const page = paths.filter((path) => path.startsWith('dist/webview/')).map(sizeOf);
    expect(page.reduce((sum, size) => sum + size, 0)).toBeLessThan(megabyte);
  });

  it('names the licence of each package', () => {
    const notices = entries
      .find(({ path }) => path.endsWith('THIRD-PARTY-NOTICES.txt'))!
      .read()
      .toString();
    const packages = ['onnxruntime-node', 'koffi', 'web-tree-sitter', 'vscode-jsonrpc', 'markdown-it', 'chokidar'];
    const named = (name: string) => new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(`, 'm').test(notices);
    expect(packages.filter((name) => !named(name))).toEqual([]);
  });
});

function windowsBinaries(arch: string): string[] {
  const libraries = ['DirectML.dll', 'dxcompiler.dll', 'dxil.dll', 'onnxruntime.dll', 'onnxruntime_binding.node'];
  return libraries.map((library) => `win32/${arch}/${library}`);
}
