// Bundles every entry point, or those named as arguments, into dist/. Packages stay outside the bundle.

import { existsSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { build } from 'esbuild';

const entryPoints = {
  cli: 'native-host/cli.ts',
  main: 'native-host/main.ts',
  worker: 'native-host/runtime/onnx/worker.ts',
  'cuda-worker': 'native-host/runtime/cuda/worker.ts',
  demo: 'scripts/demo.ts',
  'bench-engine': 'bench/engine.ts',
  'bench-absorption': 'bench/absorption.ts',
  'bench-scaling': 'bench/scaling.ts',
  'gpu-check': 'scripts/gpu-check.ts',
  'pretrain/data': 'scripts/pretrain/data.ts',
  'pretrain/facts': 'scripts/pretrain/facts.ts',
  'pretrain/pretrain': 'scripts/pretrain/pretrain.ts',
};

const wanted = process.argv.slice(2);
if (wanted.length === 0) await rm('dist', { recursive: true, force: true });
await build({
  entryPoints: Object.fromEntries(
    Object.entries(entryPoints).filter(
      ([name, file]) => (wanted.length === 0 || wanted.includes(name)) && existsSync(file),
    ),
  ),
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'esm',
  packages: 'external',
  sourcemap: true,
  logLevel: 'warning',
});

// The kernels of NVIDIA cards lie beside the worker that loads them.
const kernels = 'native-host/runtime/cuda/kernels/kernels.fatbin';
if (existsSync(kernels)) await cp(kernels, 'dist/cuda-kernels.fatbin');
