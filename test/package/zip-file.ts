// Reads a zip file, as a VSIX is one: what is in it, and the bytes of each entry. No encryption, no archives over 4 GB.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inflateRawSync } from 'node:zlib';

export interface ZipEntry {
  path: string;
  /** Size when unpacked, in bytes. */
  size: number;
  read(): Buffer;
}

/** The files of a zip file, in its order. */
export function zipEntries(file: string): ZipEntry[] {
  const bytes = readFileSync(file);
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  if (end < 0) throw new Error(`${file} is no zip file`);
  const entries: ZipEntry[] = [];
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    const method = bytes.readUInt16LE(at + 10);
    const packedSize = bytes.readUInt32LE(at + 20);
    const size = bytes.readUInt32LE(at + 24);
    const nameLength = bytes.readUInt16LE(at + 28);
    const local = bytes.readUInt32LE(at + 42);
    const path = bytes.toString('utf8', at + 46, at + 46 + nameLength);
    const read = () => {
      const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
      const packed = bytes.subarray(start, start + packedSize);
      return method === 0 ? packed : inflateRawSync(packed);
    };
    if (!path.endsWith('/')) entries.push({ path, size, read });
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return entries;
}

/** Unpacks a zip file into a folder. */
export function unzip(file: string, folder: string): void {
  for (const entry of zipEntries(file)) {
    const target = join(folder, entry.path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, entry.read());
  }
}
