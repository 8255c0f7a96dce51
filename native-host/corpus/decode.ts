// Bytes to text: UTF-8, or UTF-16 where a byte order mark says so. Anything else is no document.
import { isUtf8 } from 'node:buffer';
import { isBinaryFileSync } from 'isbinaryfile';

type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be';

/** The text without its byte order mark, or the reason why the bytes are no text. */
export function decodeText(bytes: Buffer): { text: string } | { reason: string } {
  const marked = encodingByMark(bytes);
  if (marked === 'utf-32') return { reason: 'UTF-32 text; save it as UTF-8' };
  if (marked) return decodeAs(marked, bytes);
  // The sniffer looks at the head alone, but text holds no zero byte anywhere.
  if (bytes.includes(0) || bytes.subarray(0, 5).toString('latin1') === '%PDF-') return { reason: 'binary' };
  if (isUtf8(bytes)) return decodeAs('utf-8', bytes);
  return { reason: isBinaryFileSync(bytes, bytes.length) ? 'binary' : 'invalid UTF-8; save it as UTF-8' };
}

function encodingByMark(bytes: Buffer): Encoding | 'utf-32' | null {
  const [first, second, third, fourth] = bytes;
  if (first === 0xff && second === 0xfe)
    return bytes.length >= 4 && third === 0 && fourth === 0 ? 'utf-32' : 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  if (first === 0 && second === 0 && third === 0xfe && fourth === 0xff) return 'utf-32';
  return null;
}

function decodeAs(encoding: Encoding, bytes: Buffer): { text: string } | { reason: string } {
  try {
    // The decoder drops the byte order mark.
    return { text: new TextDecoder(encoding, { fatal: true }).decode(bytes) };
  } catch {
    return { reason: `invalid ${encoding.toUpperCase()}; save it as UTF-8` };
  }
}
