// What the readers of all languages share.
import type { SyntaxNode } from '../parse.ts';
import type { Call, CodeSymbol, SymbolKind } from '../symbols.ts';

/** A symbol with everything empty that is not given. */
export function symbolFrom(
  node: SyntaxNode,
  name: string,
  kind: SymbolKind,
  known: Partial<Omit<CodeSymbol, 'name' | 'kind'>> = {},
): CodeSymbol {
  return {
    name,
    kind,
    container: null,
    line: node.line,
    endLine: node.endLine,
    parameters: null,
    returns: null,
    value: null,
    doc: null,
    bases: [],
    calls: [],
    declarationOnly: false,
    ...known,
  };
}

/** Every call below a node, each name and receiver once, in the order of the text. */
export function callsBelow(node: SyntaxNode | null, callOf: (node: SyntaxNode) => Call | null): Call[] {
  const calls = new Map<string, Call>();
  const visit = (at: SyntaxNode) => {
    const call = callOf(at);
    if (call) calls.set(`${call.receiver ?? ''}.${call.name}`, call);
    for (const child of at.children) visit(child);
  };
  if (node) visit(node);
  return [...calls.values()];
}

/** Text of a type or a value on one line. */
export function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/** The type in a field of a node on one line, or null. */
export function typeText(node: SyntaxNode, field: string): string | null {
  const type = node.child(field);
  return type && oneLine(type.text);
}

/** A string literal without its quotes. */
export function unquoted(text: string): string {
  return text.replace(/^['"`<]|['"`>]$/g, '');
}
