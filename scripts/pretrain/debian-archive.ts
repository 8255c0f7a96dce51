// Packages of a Debian release, through apt: an archive of an exact version is fetched once, checked against its hash and
// unpacked. Nothing is installed, and nobody has to be root.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isPermissive } from './package-list.ts';

const run = promisify(execFile);
const archivesAtOnce = 50;

export interface DebianArchive {
  name: string;
  version: string;
  sha256?: string;
}

/** Fetches those archives that `folder` lacks; what the configured release does not have stays missing. */
export async function fetchDebianArchives(wanted: readonly DebianArchive[], folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const present = await readdir(folder);
  const lacking = wanted
    .filter((archive) => !archiveIn(present, archive))
    .map(({ name, version }) => `${name}=${version}`);
  for (let at = 0; at < lacking.length; at += archivesAtOnce) {
    const some = lacking.slice(at, at + archivesAtOnce);
    const options = { cwd: folder, maxBuffer: 1 << 26 };
    const together = await run('apt-get', ['download', ...some], options).catch(() => null);
    // One that apt does not know fails all.
    if (together === null) for (const one of some) await run('apt-get', ['download', one], options).catch(() => null);
  }
}

/** Folder with the archive's files, or the reason why there is none. Errors: Error where its hash is another. */
export async function unpackedDebianArchive(
  archive: DebianArchive,
  folder: string,
): Promise<{ folder: string } | string> {
  const { name, version, sha256 } = archive;
  const file = archiveIn(await readdir(folder).catch(() => []), archive);
  if (!file) return 'this machine has no apt that offers this version';
  const target = join(folder, 'unpacked', `${name}_${version}`);
  const isThere = await access(target).then(
    () => true,
    () => false,
  );
  if (isThere) return { folder: target };
  const found = createHash('sha256')
    .update(await readFile(join(folder, file)))
    .digest('hex');
  if (found !== sha256)
    throw new Error(`${name} ${version}: the archive's SHA-256 is ${found}, not ${sha256}; delete ${file}`);
  await rm(`${target}.part`, { recursive: true, force: true });
  await mkdir(`${target}.part`, { recursive: true });
  await run('dpkg-deb', ['-x', join(folder, file), `${target}.part`]);
  await rename(`${target}.part`, target);
  return { folder: target };
}

function archiveIn(present: readonly string[], { name, version }: DebianArchive): string | undefined {
  const start = `${name}_${version.replaceAll(':', '%3a')}_`;
  return present.find((file) => file.startsWith(start) && file.endsWith('.deb'));
}

const spdx: Record<string, string> = {
  expat: 'MIT',
  mit: 'MIT',
  isc: 'ISC',
  'bsd-2-clause': 'BSD-2-Clause',
  'bsd-2': 'BSD-2-Clause',
  'bsd-3-clause': 'BSD-3-Clause',
  'bsd-3': 'BSD-3-Clause',
  'apache-2': 'Apache-2.0',
  'apache-2.0': 'Apache-2.0',
  'apache-2-llvm': 'Apache-2.0 WITH LLVM-exception',
  'psf-2': 'PSF-2.0',
  python: 'PSF-2.0',
  'cc0-1.0': 'CC0-1.0',
  cc0: 'CC0-1.0',
};

/**
 * The licence that a machine-readable copyright file gives what is not Debian's own packaging, as one SPDX expression;
 * null where the file is not machine-readable or names any licence that is not permissive.
 */
export function debianLicense(copyright: string): string | null {
  if (!/^Format:.*copyright-format/m.test(copyright)) return null;
  const found = new Set<string>();
  for (const paragraph of copyright.replaceAll('\r', '').split(/\n\s*\n/)) {
    const files = /^Files: *(.*(?:\n[ \t].*)*)/m.exec(paragraph)?.[1];
    const license = /^License: *(.+)/m.exec(paragraph)?.[1];
    if (
      files === undefined ||
      files
        .trim()
        .split(/\s+/)
        .every((pattern) => pattern.startsWith('debian/'))
    )
      continue;
    if (license === undefined) return null;
    for (const one of license.toLowerCase().split(/ and | or |, | with no /)) {
      const name = spdx[one.trim()];
      if (name === undefined) return null;
      found.add(name);
    }
  }
  const expression = [...found].sort().join(' AND ');
  return found.size > 0 && isPermissive(expression) ? expression : null;
}
