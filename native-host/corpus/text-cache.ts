// Texts of documents in memory, the latest asked for, up to a limit: a large repository does not have to fit.
const MAX_CHARACTERS = 64_000_000;

export interface TextCache {
  get(path: string): string | undefined;
  set(path: string, text: string): void;
}

/** An empty cache that drops the texts not asked for longest when it holds more than the given number of characters. */
export function openTextCache(maxCharacters = MAX_CHARACTERS): TextCache {
  const texts = new Map<string, string>();
  let characters = 0;
  const drop = (path: string) => {
    characters -= texts.get(path)?.length ?? 0;
    texts.delete(path);
  };
  return {
    get(path) {
      const text = texts.get(path);
      if (text !== undefined) {
        texts.delete(path);
        texts.set(path, text);
      }
      return text;
    },
    set(path, text) {
      drop(path);
      texts.set(path, text);
      characters += text.length;
      for (const oldest of texts.keys()) {
        if (characters <= maxCharacters || oldest === path) break;
        drop(oldest);
      }
    },
  };
}
