// Where the files of an npm package lie: in node_modules, or, for the platforms that this machine is not, in a cache that is
// filled from the registry. Versions and hashes are those of package-lock.json.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const cache = join('.cache', 'packages');

/**
 * The folder of a package that package-lock.json names.
 * Errors: the package is not locked, the registry cannot be reached, or what it sent is not what was locked.
 */
export function packageFolder(name) {
  const installed = join('node_modules', name);
  if (existsSync(join(installed, 'package.json'))) return installed;
  const locked = JSON.parse(readFileSync('package-lock.json', 'utf8')).packages[`node_modules/${name}`];
  if (locked === undefined) throw new Error(`package-lock.json does not name ${name}: run npm install`);
  const folder = join(cache, `${name.replaceAll('/', '+')}@${locked.version}`);
  if (!existsSync(folder)) fetchPackage(name, locked, folder);
  return folder;
}

function fetchPackage(name, { version, integrity }, folder) {
  mkdirSync(cache, { recursive: true });
  const temporary = mkdtempSync(join(cache, 'fetch-'));
  try {
    const output = execFileSync('npm', ['pack', `${name}@${version}`, '--json', '--pack-destination', temporary], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      shell: process.platform === 'win32',
    });
    const archive = join(temporary, JSON.parse(output)[0].filename.replace(/^@/, '').replace('/', '-'));
    const hash = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
    if (hash !== integrity) {
      throw new Error(
        `${name}@${version} from the registry has the hash ${hash}, but package-lock.json says ${integrity}`,
      );
    }
    execFileSync('tar', ['-xzf', archive, '-C', temporary]);
    renameSync(join(temporary, 'package'), folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
