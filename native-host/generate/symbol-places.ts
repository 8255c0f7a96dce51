// Where names are declared, for links in answers.
import type { CodeSymbol } from '../corpus/questions/symbols.ts';
import type { LineSpan } from './passages.ts';

export interface SymbolPlace extends LineSpan {
  path: string;
}

/** The declarations of a file, such as FileSymbols of native-host/corpus. */
export interface PlacedSymbols {
  path: string;
  symbols: readonly Pick<CodeSymbol, 'name' | 'container' | 'line' | 'endLine'>[];
}

/** Places by name, and by `Container.name` for members. */
export function symbolPlaces(files: Iterable<PlacedSymbols>): Map<string, SymbolPlace[]> {
  const places = new Map<string, SymbolPlace[]>();
  const add = (name: string, place: SymbolPlace) => {
    const known = places.get(name);
    if (known) known.push(place);
    else places.set(name, [place]);
  };
  for (const { path, symbols } of files) {
    for (const { name, container, line, endLine } of symbols) {
      const place = { path, startLine: line, endLine };
      add(name, place);
      if (container !== null) add(`${container}.${name}`, place);
    }
  }
  return places;
}
