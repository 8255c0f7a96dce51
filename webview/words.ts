// The words of the page. Every text that a person reads goes through `word`, under its English form.

let translations: Record<string, string> = {};

export function useWords(words: Record<string, string>): void {
  translations = words;
}

/** The text in the user's language, or as it is; `{0}`, `{1}` … are replaced by the values. */
export function word(english: string, ...values: (string | number)[]): string {
  const text = translations[english] ?? english;
  return text.replace(/\{(\d+)\}/g, (placeholder, index) => String(values[Number(index)] ?? placeholder));
}
