// Folders that the tests open: real packages of node_modules, and what is added to them.
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Copies a real package's sources into the folder, without the packages that it has inside. */
export function copyPackage(name: string, folder: string): void {
  cpSync(resolve('node_modules', name), folder, { recursive: true, dereference: true });
  rmSync(join(folder, 'node_modules'), { recursive: true, force: true });
}

/** How many documents writeSmallRepository makes. */
export const smallRepositoryDocuments = 7;

/**
 * Fills a folder with a part of the sources of the package semver, of about 2,300 tokens: few enough that the embedded model
 * knows them after a minute on two cores.
 */
export function writeSmallRepository(folder: string): void {
  copyPackage('semver', folder);
  for (const entry of readdirSync(folder)) {
    if (!['internal', 'package.json', 'LICENSE'].includes(entry)) rmSync(join(folder, entry), { recursive: true });
  }
  for (const large of ['re.js', 'trim-comparator-whitespace.js']) rmSync(join(folder, 'internal', large));
}

/** Writes a file, making its folders. */
export function writeInto(folder: string, path: string, content: string | Buffer): void {
  const file = join(folder, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, content);
}

/** Writes small source files, each different: a checkout or a code generator at work. */
export function writeManyFiles(folder: string, count: number, generation: number): void {
  for (let index = 0; index < count; index++) {
    const group = `group${String(index % 100).padStart(2, '0')}`;
    writeInto(
      folder,
      `${group}/part${index}.js`,
      `/** Part ${index} of generation ${generation}. */\nexport function part${index}(value) {\n  return value + ${index * 7 + generation};\n}\n`,
    );
  }
}

/** The key in the file `.env` of addWhatMustStayOut. */
export const secretKey = 'sk-live-4f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c';

/** What must never be absorbed: a key by name and by content, bytes that are no text, and a file of 200 MB. */
export function addWhatMustStayOut(folder: string): void {
  writeInto(folder, '.env', `API_KEY=${secretKey}\n`);
  writeInto(folder, 'picture.png', Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), randomBytes(5_000)]));
  writeInto(folder, 'program.bin', randomBytes(20_000));
  writeInto(folder, 'huge.js', Buffer.alloc(200 * 1024 * 1024, 'const line = "the same again";\n'));
}
