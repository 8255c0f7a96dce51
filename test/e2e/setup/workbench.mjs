// Sets up a real VS Code workbench for the end-to-end tests: code-server, run by its own Node, and Debian's Chromium. It takes
// a few minutes the first time (code-server compiles native modules) and does nothing when everything is there.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeServerEntry, codeServerFolder, nodeBinary, nodeFolder, workbenchHome } from './places.mjs';
import { codeServerVersion, nodeVersion, systemPackages } from './versions.mjs';

/** Why there can be no workbench here, and what to do about it. */
export class WorkbenchUnavailable extends Error {}

/**
 * Returns when the workbench is there, having installed what was missing.
 * Errors: WorkbenchUnavailable on systems where it cannot be, or where an installation failed.
 */
export function setUpWorkbench(say = (text) => console.log(text)) {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    throw new WorkbenchUnavailable(
      `the workbench of the end-to-end tests runs on Linux x64 and arm64, not on ${process.platform} ${process.arch}`,
    );
  }
  mkdirSync(workbenchHome, { recursive: true });
  installSystemPackages(say);
  installNode(say);
  installCodeServer(say);
}

function installSystemPackages(say) {
  const names = systemPackages.filter(({ file }) => !existsSync(file)).map(({ name }) => name);
  if (names.length === 0) return;
  if (process.getuid() !== 0 || !existsSync('/usr/bin/apt-get')) {
    throw new WorkbenchUnavailable(
      `missing: ${names.join(', ')}. Install them (on Debian: apt-get install ${names.join(' ')})`,
    );
  }
  say(`installing ${names.join(', ')} with apt-get`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  logged('apt-get', ['update'], { env });
  logged('apt-get', ['install', '-y', '--no-install-recommends', ...names], { env });
}

function installNode(say) {
  if (versionOf(nodeBinary) === `v${nodeVersion}`) return;
  say(`installing Node ${nodeVersion} for code-server`);
  const folder = join(workbenchHome, 'node');
  emptyPackage(folder, { name: 'lift-e2e-node' });
  npm([
    'install',
    '--prefix',
    folder,
    '--no-save',
    '--no-audit',
    '--no-fund',
    `node-linux-${process.arch}@${nodeVersion}`,
  ]);
  if (versionOf(nodeBinary) !== `v${nodeVersion}`) {
    throw new WorkbenchUnavailable(`${nodeBinary} does not run: see ${logFile}`);
  }
}

function installCodeServer(say) {
  const doneFile = join(codeServerFolder, '.done');
  const done = `${codeServerVersion} node${nodeVersion}\n`;
  if (existsSync(doneFile) && readFileSync(doneFile, 'utf8') === done) return;
  say(`installing code-server ${codeServerVersion} into ${codeServerFolder}: a few minutes, once`);
  rmSync(codeServerFolder, { recursive: true, force: true });
  emptyPackage(codeServerFolder, {
    name: 'lift-e2e-code-server',
    // Newer versions of npm run the install scripts of these packages only.
    allowScripts: { 'code-server': true, argon2: true },
  });
  npm([
    'install',
    '--prefix',
    codeServerFolder,
    '--no-audit',
    '--no-fund',
    '--foreground-scripts',
    `code-server@${codeServerVersion}`,
  ]);
  const started = spawnSync(nodeBinary, [codeServerEntry, '--version'], { encoding: 'utf8' });
  if (started.status !== 0) throw new WorkbenchUnavailable(`code-server does not start: ${started.stderr}`);
  writeFileSync(doneFile, done);
}

/**
 * npm, run by the Node that runs code-server and compiling native modules against that Node's headers. What an npm around
 * this process says of itself and its own Node (`npm test` sets `npm_*`) must not reach it: code-server's install script
 * believes it.
 */
function npm(args) {
  const outside = Object.entries(process.env).filter(([name]) => !name.toLowerCase().startsWith('npm_'));
  const env = Object.fromEntries(outside);
  env.PATH = `${join(nodeFolder, 'bin')}:${env.PATH}`;
  env.npm_config_nodedir = nodeFolder;
  logged('npm', args, { env });
}

const logFile = join(workbenchHome, 'setup.log');

function logged(command, args, options) {
  const log = openSync(logFile, 'a');
  const { status, error } = spawnSync(command, args, { ...options, stdio: ['ignore', log, log] });
  if (status === 0) return;
  const lastLines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
  throw new WorkbenchUnavailable(
    `${[command, ...args].join(' ')} failed${error ? ` (${error.message})` : ''}; the end of ${logFile}:\n${lastLines}`,
  );
}

function emptyPackage(folder, content) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...content, private: true }));
}

function versionOf(binary) {
  return spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout?.trim();
}
