/** GPT-2's alphabet, in which byte-level tokenizers write bytes: https://github.com/openai/gpt-2, bytes_to_unicode. */

/** By byte, the character that stands for it: itself where visible in Latin-1, else one from U+0100 on. */
export function byteCharacters(): string[] {
  let hidden = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const isVisible = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(isVisible ? byte : 0x100 + hidden++);
  });
}

/** By character, its byte. */
export function bytesOfCharacters(): Map<string, number> {
  return new Map(byteCharacters().map((character, byte) => [character, byte]));
}

export interface ByteLevelWords {
  addPrefixSpace: boolean;
  /** False where earlier steps have split the text already. */
  splitsWords: boolean;
}

// GPT-2's pattern. White space is Unicode's, as in the original implementation: a byte order mark is none.
const WORDS =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** The words of a text as the pre-tokenizer `ByteLevel` finds them; every character is in one. */
export function byteLevelWords(text: string, { addPrefixSpace, splitsWords }: ByteLevelWords): string[] {
  const prefixed = addPrefixSpace && !text.startsWith(' ') ? ` ${text}` : text;
  return splitsWords ? (prefixed.match(WORDS) ?? []) : [prefixed];
}
