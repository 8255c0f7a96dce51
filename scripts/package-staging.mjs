// The folder that one platform's VSIX is made of: what .vscodeignore lets through, the external packages with the binaries
// of that platform, a manifest without what is for developers only, and the notices of other people's licences.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { minimatch } from 'minimatch';
import { externalPackages, unneededFile } from './external-packages.mjs';
import { thirdPartyNotices } from './package-notices.mjs';
import { packageFolder } from './package-registry.mjs';

/** What the build must have made. */
const builtFiles = [
  'dist/extension.cjs',
  'dist/main.js',
  'dist/worker.js',
  'dist/watch-worker.js',
  'dist/cuda-worker.js',
  'dist/cuda-kernels.fatbin',
  'dist/webview/view.js',
  'dist/webview/view.css',
];

/** There are no drivers of NVIDIA's cards for macOS, so their kernels are of no use there. */
const isFor = (target, file) => file !== 'dist/cuda-kernels.fatbin' || !target.startsWith('darwin');

/** package.json of the extension. */
export function manifest() {
  return JSON.parse(readFileSync('package.json', 'utf8'));
}

/** The file name of a target's VSIX. */
export function vsixName(target) {
  const { name, version } = manifest();
  return `${name}-${target}-${version}.vsix`;
}

/**
 * Fills the folder `staging` with what the VSIX of `target` (such as `linux-x64`) holds. `picturesUrl`: the web address that
 * the repository's files can be had from.
 * Errors: where a file that must ship is missing, saying which and what makes it.
 */
export function stageExtension(target, staging, picturesUrl) {
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging, { recursive: true });
  for (const pattern of shippedPatterns()) {
    for (const file of filesMatching(pattern)) if (isFor(target, file)) copy(file, join(staging, file));
  }
  for (const file of builtFiles.filter((built) => isFor(target, built))) {
    if (!existsSync(join(staging, file))) throw new Error(`${file} is missing: run npm run build first`);
  }
  const [os, arch] = target.split('-');
  const forTarget = (text) => text.replaceAll('{os}', os).replaceAll('{arch}', arch);
  const shippedPackages = {};
  for (const [template, files] of Object.entries(externalPackages)) {
    const name = forTarget(template);
    const source = packageFolder(name);
    shippedPackages[name] = source;
    for (const file of files.map(forTarget))
      copyNeeded(join(source, file), join(staging, 'dist', 'node_modules', name, file));
  }
  for (const name of packagesInBundles(staging)) shippedPackages[name] = packageFolder(name);
  writeFileSync(join(staging, 'THIRD-PARTY-NOTICES.txt'), thirdPartyNotices(shippedPackages));
  writeFileSync(join(staging, 'MARKETPLACE.md'), withPictures(readFileSync('MARKETPLACE.md', 'utf8'), picturesUrl));
  writeFileSync(join(staging, 'package.json'), `${JSON.stringify(shippedManifest(), null, 2)}\n`);
  cpSync('.vscodeignore', join(staging, '.vscodeignore'));
}

/** The packages that went into those bundles that ship. */
function packagesInBundles(staging) {
  const packagesOf = JSON.parse(readFileSync(join('dist', 'bundled-packages.json'), 'utf8'));
  const shipped = Object.entries(packagesOf).filter(([bundle]) => existsSync(join(staging, bundle)));
  return [...new Set(shipped.flatMap(([, names]) => names))];
}

/**
 * The page for the marketplace with the pictures where they can be had from. An editor shows only pictures of web pages there, none that
 * are files beside the page or data in it; without `picturesUrl` they are left out.
 */
function withPictures(markdown, picturesUrl) {
  const picture = /!\[([^\]]*)\]\((media\/[\w./-]+\.png)\)/g;
  if (picturesUrl !== undefined) return markdown.replaceAll(picture, `![$1](${picturesUrl}/$2)`);
  return markdown.replaceAll(picture, '').replaceAll(/\n{3,}/g, '\n\n');
}

function shippedManifest() {
  const { scripts, devDependencies, dependencies, bin, private: _private, ...rest } = manifest();
  return rest;
}

/** The patterns that .vscodeignore lets through, except for what this program makes itself. */
function shippedPatterns() {
  return readFileSync('.vscodeignore', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1).trim())
    .filter((pattern) => !pattern.startsWith('dist/node_modules') && pattern !== 'THIRD-PARTY-NOTICES.txt');
}

function filesMatching(pattern) {
  const fixed = pattern.split('*')[0];
  const folder = fixed.endsWith('/') ? fixed.slice(0, -1) : dirname(fixed);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: pattern.includes('**'), withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).replaceAll('\\', '/'))
    .filter((file) => minimatch(file, pattern));
}

/** Copies a file, or all files of a folder but those that are not needed at run time. */
function copyNeeded(from, to) {
  if (!statSync(from).isDirectory()) return copy(from, to);
  for (const entry of readdirSync(from)) {
    if (!unneededFile.test(`/${entry}`)) copyNeeded(join(from, entry), join(to, entry));
  }
}

function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, { dereference: true });
}
