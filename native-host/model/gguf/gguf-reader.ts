/** The parts that a GGUF header consists of, read one after another from its first bytes. */
import type { GgufList, GgufValue } from './gguf-file.ts';

/** The bytes that are there end before what they describe. */
export class PastTheEnd extends Error {
  override name = 'PastTheEnd';
}

/** Of the types of metadata, the bytes that a value takes at the least. */
const LEAST_BYTES: Readonly<Record<number, number>> = {
  ...{ 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1 },
  ...{ 8: 8, 9: 12, 10: 8, 11: 8, 12: 8 },
};
const TEXT = 8;
const LIST = 9;

export class GgufReader {
  position = 0;
  private readonly decoder = new TextDecoder('utf-8');

  constructor(private readonly bytes: Buffer) {}

  uint32(): number {
    return this.bytes.readUInt32LE(this.take(4));
  }

  /** A 64-bit number; what no double can hold comes out larger than any file. */
  count(): number {
    return Number(this.bytes.readBigUInt64LE(this.take(8)));
  }

  /** Bytes that are no UTF-8 become U+FFFD: some vocabularies have such tokens, which are no text by themselves. */
  text(): string {
    const length = this.count();
    const start = this.take(length);
    return this.decoder.decode(this.bytes.subarray(start, start + length));
  }

  /** Null, and a problem, for a type that there is not. */
  value(problems: string[], key: string): GgufValue | null {
    const type = this.uint32();
    if (type === LIST) return this.list(problems, key);
    if (!(type in LEAST_BYTES)) {
      problems.push(`${key} has the type ${type}, which there is not.`);
      return null;
    }
    return this.scalar(type);
  }

  private list(problems: string[], key: string): GgufList | null {
    const type = this.uint32();
    const count = this.count();
    if (type === LIST || !(type in LEAST_BYTES)) {
      problems.push(`${key} is a list of the type ${type}; lists of numbers and texts are supported.`);
      return null;
    }
    const start = this.position;
    const bytesEach = LEAST_BYTES[type]!;
    if (count * bytesEach > this.bytes.length - start) throw new PastTheEnd();
    if (type === TEXT) for (let i = 0; i < count; i++) this.take(this.count());
    else this.take(count * bytesEach);
    const read = () => {
      const reader = new GgufReader(this.bytes);
      reader.position = start;
      return Array.from({ length: count }, () => reader.scalar(type));
    };
    return { count, read };
  }

  private scalar(type: number): number | boolean | string {
    const { bytes } = this;
    if (type === TEXT) return this.text();
    const at = this.take(LEAST_BYTES[type]!);
    switch (type) {
      case 0:
        return bytes.readUInt8(at);
      case 1:
        return bytes.readInt8(at);
      case 2:
        return bytes.readUInt16LE(at);
      case 3:
        return bytes.readInt16LE(at);
      case 4:
        return bytes.readUInt32LE(at);
      case 5:
        return bytes.readInt32LE(at);
      case 6:
        return bytes.readFloatLE(at);
      case 7:
        return bytes.readUInt8(at) !== 0;
      case 10:
        return Number(bytes.readBigUInt64LE(at));
      case 11:
        return Number(bytes.readBigInt64LE(at));
      default:
        return bytes.readDoubleLE(at);
    }
  }

  /** Goes on by so many bytes, and returns where they begin. */
  private take(length: number): number {
    const start = this.position;
    if (!(start + length <= this.bytes.length)) throw new PastTheEnd();
    this.position = start + length;
    return start;
  }
}
