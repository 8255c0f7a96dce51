// Installs what some tests need beyond npm's packages, where the system is Debian and the user may: Chromium for the tests of
// the sidebar page and of the whole extension, its software Vulkan driver, so that webgpu is tested without a GPU, a
// compiler, and, where asked with --torch, PyTorch for the benchmark's comparison. Says what could not be installed.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { systemPackages } from '../test/e2e/setup/versions.mjs';

const wanted = [
  ...systemPackages.map(({ name, file }) => ({ package: name, file, purpose: 'end-to-end tests' })),
  { package: 'chromium', file: '/usr/lib/chromium/vk_swiftshader_icd.json', purpose: 'webgpu tests' },
  { package: 'g++', file: '/usr/bin/g++', purpose: 'tests of the CUDA kernels' },
  { package: 'libvulkan1', file: '/usr/lib/x86_64-linux-gnu/libvulkan.so.1', purpose: 'webgpu tests' },
];
if (process.argv.includes('--torch')) {
  wanted.push(
    { package: 'python3-torch', file: '/usr/lib/python3/dist-packages/torch', purpose: 'comparison with PyTorch' },
    {
      package: 'libopenblas0-pthread',
      file: '/usr/lib/x86_64-linux-gnu/openblas-pthread',
      purpose: 'comparison with PyTorch',
    },
  );
}

const missing = wanted.filter(({ file }) => !existsSync(file));
if (missing.length > 0) {
  const names = [...new Set(missing.map((entry) => entry.package))];
  console.log(`installing ${names.join(', ')}`);
  const apt = (...args) => spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  const installed = apt('update') && apt('install', '-y', '--no-install-recommends', ...names);
  if (!installed) {
    const purposes = [...new Set(missing.map(({ purpose }) => purpose))].join(', ');
    console.log(`could not install ${names.join(', ')} with apt-get; they are for: ${purposes}`);
  }
}
