// Tarballs from the npm registry, through the npm client: a package of an exact version is fetched once, checked
// against its integrity and extracted beside the tarball.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/** Folder with the files of the package. Throws when it cannot be fetched or its integrity differs. */
export async function packAndExtract(
  wanted: { name: string; version: string; integrity?: string },
  cacheFolder: string,
): Promise<string> {
  const label = `${wanted.name.replace(/^@/, '').replace('/', '-')}-${wanted.version}`;
  const folder = join(cacheFolder, label);
  if (await exists(folder)) return folder;
  const tarball = join(cacheFolder, `${label}.tgz`);
  await mkdir(cacheFolder, { recursive: true });
  if (!(await exists(tarball))) {
    await run('npm', ['pack', `${wanted.name}@${wanted.version}`, '--silent', '--ignore-scripts'], {
      cwd: cacheFolder,
    });
  }
  if (wanted.integrity) {
    const found = `sha512-${createHash('sha512')
      .update(await readFile(tarball))
      .digest('base64')}`;
    if (found !== wanted.integrity) {
      await rm(tarball);
      throw new Error(
        `${wanted.name}@${wanted.version}: the tarball's integrity is ${found}, but packages.json says ` +
          `${wanted.integrity}. It was deleted; run again, and correct packages.json if it stays so.`,
      );
    }
  }
  const part = `${folder}.part`;
  await rm(part, { recursive: true, force: true });
  await mkdir(part);
  await run('tar', ['-xzf', tarball, '--strip-components=1', '--no-same-owner', '-C', part]);
  await rename(part, folder);
  return folder;
}
