/** Token ids back to text, at once or one by one as they are generated. */
import { bytesOfCharacters } from './byte-level.ts';

export interface StreamDecoder {
  /** The text that is certain after this token; empty while a character is incomplete. */
  push(id: number): string;
  /** What is left, with U+FFFD for a character that never became complete. */
  end(): string;
}

export interface TokenDecoder {
  decode(ids: readonly number[]): string;
  streamDecoder(): StreamDecoder;
}

/**
 * Tokens are written in the byte alphabet, except added ones, which are text. Ids without a token, as embeddings padded
 * to a round size have them, are no text.
 */
export function byteLevelDecoder(tokens: readonly (string | undefined)[], added: ReadonlySet<number>): TokenDecoder {
  const byteOf = bytesOfCharacters();
  const utf8 = new TextEncoder();
  const known: (Uint8Array | undefined)[] = [];

  function bytesOf(id: number): Uint8Array {
    const token = tokens[id];
    if (token === undefined) return new Uint8Array();
    const bytes = added.has(id) ? [] : Array.from(token, (character) => byteOf.get(character) ?? -1);
    known[id] ??= bytes.length === 0 || bytes.includes(-1) ? utf8.encode(token) : Uint8Array.from(bytes);
    return known[id];
  }

  return {
    decode: (ids) => newTextDecoder().decode(Buffer.concat(ids.map((id) => known[id] ?? bytesOf(id)))),
    streamDecoder() {
      const decoder = newTextDecoder();
      return {
        push: (id) => decoder.decode(known[id] ?? bytesOf(id), { stream: true }),
        end: () => decoder.decode(),
      };
    },
  };
}

/** A byte order mark at the start is text like any other. */
function newTextDecoder() {
  return new TextDecoder('utf-8', { ignoreBOM: true });
}

/** UTF-8 has at most 4 bytes a character; whoever waits longer waits for a U+FFFD that is meant. */
const LONGEST_CHARACTER = 4;

/** For decoders that work on whole lists of tokens: what is new is what decoding with one token more adds. */
export function listDecoder(tokens: readonly (string | undefined)[], join: (tokens: string[]) => string): TokenDecoder {
  const decode = (ids: readonly number[]) => {
    const found = ids.map((id) => tokens[id]).filter((token) => token !== undefined);
    return found.length === 0 ? '' : join(found);
  };
  return {
    decode,
    streamDecoder() {
      // The tokens emitted last stay in front, because a decoder may treat the start of a list differently.
      let emitted: number[] = [];
      let pending: number[] = [];
      const flush = () => {
        const text = decode([...emitted, ...pending]).slice(decode(emitted).length);
        emitted = pending;
        pending = [];
        return text;
      };
      return {
        push(id) {
          pending.push(id);
          const isIncomplete =
            decode([...emitted, ...pending]).endsWith('\ufffd') && pending.length < LONGEST_CHARACTER;
          return isIncomplete ? '' : flush();
        },
        end: () => (pending.length > 0 ? flush() : ''),
      };
    },
  };
}
