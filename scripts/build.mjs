// Bundles every entry point into dist/. Native and WebAssembly packages stay outside the bundle.
import { build } from 'esbuild';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';

const entryPoints = {
  cli: 'native-host/cli.ts',
  main: 'native-host/main.ts',
  worker: 'native-host/runtime/onnx/worker.ts',
  demo: 'scripts/demo.ts',
  'pretrain/pretrain': 'scripts/pretrain/pretrain.ts',
};

await rm('dist', { recursive: true, force: true });
await build({
  entryPoints: Object.fromEntries(Object.entries(entryPoints).filter(([, file]) => existsSync(file))),
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'esm',
  packages: 'external',
  sourcemap: true,
  logLevel: 'warning',
});
