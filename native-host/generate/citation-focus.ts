import type { Citation } from '../../protocol/host.ts';
import type { SymbolPlace } from './symbol-places.ts';

/**
 * A citation of a whole file becomes one of the lines that declare what was asked about, where the question names just
 * one thing that the file declares: "Where is parseHeader defined?" — `lib/parse.js`, lines 15–40.
 */
export function focusCitations(
  citations: readonly Citation[],
  question: string,
  symbols: ReadonlyMap<string, readonly SymbolPlace[]>,
): Citation[] {
  const named = [...new Set(question.match(/[\p{L}_$#][\p{L}\p{N}_$.#]*/gu) ?? [])].map((word) =>
    word.replace(/\.+$/, ''),
  );
  return citations.map((citation) => {
    if (citation.startLine !== 1) return citation;
    const declared = named.flatMap((name) => (symbols.get(name) ?? []).filter(({ path }) => path === citation.path));
    const spans = new Set(declared.map(({ startLine, endLine }) => `${startLine}-${endLine}`));
    return spans.size === 1 ? { ...declared[0]! } : citation;
  });
}
