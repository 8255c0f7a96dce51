// Bundles every entry point, or those named as arguments, into dist/. Packages with native code or files of their own stay
// outside the bundles; all others go in, so that an installed extension needs no other packages. What went in is listed in
// dist/bundled-packages.json, for the notices of their licences.

import { existsSync } from 'node:fs';
import { copyFile, rm, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';
import { externalPackages } from './external-packages.mjs';
import { webviewBundle } from './webview-bundle.mjs';

/** Programs and workers of Node, as modules. */
const programs = {
  cli: 'native-host/cli.ts',
  main: 'native-host/main.ts',
  worker: 'native-host/runtime/onnx/worker.ts',
  'watch-worker': 'src/folders/watch-worker.ts',
  'cuda-worker': 'native-host/runtime/cuda/worker.ts',
  demo: 'scripts/demo.ts',
  'bench-engine': 'bench/engine.ts',
  'bench-absorption': 'bench/absorption.ts',
  'bench-repositories': 'bench/repositories.ts',
  'bench-ablation': 'bench/ablation.ts',
  'bench-scaling': 'bench/scaling.ts',
  'bench-scale': 'bench/scale.ts',
  'bench-order': 'bench/order.ts',
  'bench-packages': 'bench/packages.ts',
  'bench-recomputation': 'bench/recomputation.ts',
  'bench-weight-forms': 'bench/weight-forms.ts',
  'bench-cost': 'bench/cost.ts',
  'gpu-check': 'scripts/gpu-check.ts',
  'peft-check': 'scripts/peft-check.ts',
  'pretrain/data': 'scripts/pretrain/data.ts',
  'pretrain/facts': 'scripts/pretrain/facts.ts',
  'pretrain/pretrain': 'scripts/pretrain/pretrain.ts',
  'pretrain/instructions-check': 'scripts/pretrain/instructions-check.ts',
  'pretrain/base-data': 'scripts/pretrain/base/data.ts',
  'pretrain/base-items': 'scripts/pretrain/base/items.ts',
  'pretrain/base-model': 'scripts/pretrain/base/write-model.ts',
};

/** What VS Code loads. */
const extension = { extension: 'src/extension.ts' };

/** The sidebar page; its styles come beside it, as view.css. */
const webview = { 'webview/view': 'webview/main.ts' };

const wanted = process.argv.slice(2);
if (wanted.length === 0) await rm('dist', { recursive: true, force: true });

/** The packages of each bundle, by the bundle's path. */
const packagesOf = {};

/** Bundles those of the entry points that are wanted and exist. */
async function bundle(entryPoints, options) {
  const chosen = Object.entries(entryPoints).filter(
    ([name, file]) => (wanted.length === 0 || wanted.includes(name)) && existsSync(file),
  );
  if (chosen.length === 0) return;
  const { metafile } = await build({
    entryPoints: Object.fromEntries(chosen),
    outdir: 'dist',
    bundle: true,
    sourcemap: true,
    logLevel: 'warning',
    metafile: true,
    ...options,
  });
  for (const [output, { inputs }] of Object.entries(metafile.outputs)) {
    const names = Object.keys(inputs).map((file) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1]);
    packagesOf[output] = [...new Set(names.filter((name) => name !== undefined))].sort();
  }
}

await bundle(programs, {
  platform: 'node',
  target: 'node20.19',
  format: 'esm',
  external: Object.keys(externalPackages),
  banner: {
    // CommonJS packages inside a module ask for Node's own modules with require.
    js: "import { createRequire as createBundleRequire } from 'node:module'; const require = createBundleRequire(import.meta.url);",
  },
});
await bundle(extension, {
  platform: 'node',
  target: 'node20.19',
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  external: ['vscode'],
  minify: true,
});
await bundle(webview, webviewBundle);
// Where the native host looks for it: beside itself.
await copyFile('native-host/runtime/cuda/kernels/kernels.fatbin', 'dist/cuda-kernels.fatbin');
if (wanted.length === 0) {
  await writeFile('dist/bundled-packages.json', `${JSON.stringify(packagesOf, null, 2)}\n`);
}
