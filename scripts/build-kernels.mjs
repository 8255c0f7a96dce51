// Compiles native-host/runtime/cuda/kernels with nvcc to one fat binary and writes it beside its sources, with a manifest
// that says what it was made of; both are committed, so that a build needs no nvcc. `--check` compiles nothing and exits
// with 1 where the binary is not that of the sources. NVCC names the compiler; it is `nvcc` on the path otherwise.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../native-host/runtime/cuda/kernels/', import.meta.url));
const binary = path.join(folder, 'kernels.fatbin');
const manifest = path.join(folder, 'kernels.manifest.json');

// Code for each generation of cards since 2020, and what later ones can compile for themselves. 90a has instructions that
// 90 lacks, and every card of that generation runs it.
const architectures = ['80', '86', '89', '90a', '100', '120'];
const portable = '80';
const options = ['-std=c++17', '-O3', '--compress-mode=size'];

/** What the kernels are compiled from: not the emulator, which only tests use. Checkouts may have other line ends. */
function sourceHashes() {
  const files = readdirSync(folder).filter((name) => /\.(cu|cuh)$/.test(name));
  return Object.fromEntries(
    files.sort().map((name) => {
      const text = readFileSync(path.join(folder, name), 'utf8').replaceAll('\r\n', '\n');
      return [name, createHash('sha256').update(text).digest('hex')];
    }),
  );
}

const hashOf = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');

function build() {
  const nvcc = process.env.NVCC ?? 'nvcc';
  const targets = [
    ...architectures.map((name) => `-gencode=arch=compute_${name},code=sm_${name}`),
    `-gencode=arch=compute_${portable},code=compute_${portable}`,
  ];
  const unfinished = `${binary}.unfinished`;
  // Taken before compiling: what is edited meanwhile must not pass for compiled.
  const sources = sourceHashes();
  try {
    const args = ['-fatbin', ...options, ...targets, '-o', unfinished, 'all.cu'];
    execFileSync(nvcc, args, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
    const version = execFileSync(nvcc, ['--version'], { encoding: 'utf8' }).match(/release (\S+),/)?.[1];
    renameSync(unfinished, binary);
    const said = { nvcc: version, options, architectures, portable, binary: hashOf(binary), sources };
    writeFileSync(manifest, `${JSON.stringify(said, null, 2)}\n`);
    console.log(`${path.relative(process.cwd(), binary)}: ${readFileSync(binary).length} bytes`);
  } catch (error) {
    rmSync(unfinished, { force: true });
    if (error.code === 'ENOENT')
      throw new Error(`${nvcc} is not there: install the CUDA toolkit, or name it with NVCC`);
    throw error;
  }
}

function check() {
  const said = JSON.parse(readFileSync(manifest, 'utf8'));
  const now = sourceHashes();
  const names = [...new Set([...Object.keys(said.sources), ...Object.keys(now)])];
  const changed = names.filter((name) => said.sources[name] !== now[name]);
  if (said.binary !== hashOf(binary)) changed.push(path.basename(binary));
  if (changed.length === 0) return;
  console.error(`the fat binary is not that of its sources (${changed.join(', ')}): run \`npm run build:kernels\``);
  process.exitCode = 1;
}

if (process.argv.includes('--check')) check();
else build();
