// Syntax trees as plain objects. The parser is WebAssembly, whose trees must be freed and are slow to walk node by node,
// so a tree is copied once, with named nodes only, and freed at once.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Language, Parser, type TreeCursor } from 'web-tree-sitter';

const grammarOf: Record<string, string> = {
  typescript: 'typescript',
  tsx: 'tsx',
  javascript: 'javascript',
  python: 'python',
  go: 'go',
  rust: 'rust',
  java: 'java',
  // The C++ grammar reads C as well; there is no separate prebuilt one.
  c: 'cpp',
  cpp: 'cpp',
};

/** Longer texts are data in the clothes of code; their trees cost much and teach little. */
export const MAX_PARSED_CHARACTERS = 400_000;

/** Deeper nesting than this is not copied: generated expressions would overflow the recursive readers. */
const MAX_DEPTH = 250;

/** A named node of a syntax tree. Offsets are UTF-16 indices into the source; lines count from 1. */
export class SyntaxNode {
  readonly children: SyntaxNode[] = [];

  constructor(
    readonly type: string,
    readonly field: string | null,
    readonly start: number,
    readonly end: number,
    private readonly source: Source,
  ) {}

  get text(): string {
    return this.source.text.slice(this.start, this.end);
  }

  get line(): number {
    return this.source.lineAt(this.start);
  }

  get endLine(): number {
    return this.source.lineAt(this.end);
  }

  /** The first child with that field name, or null. */
  child(field: string): SyntaxNode | null {
    return this.children.find((child) => child.field === field) ?? null;
  }

  /** The text of the first child with that field name; empty when there is none, as in a broken tree. */
  textOf(field: string): string {
    return this.child(field)?.text ?? '';
  }

  /** The first child of that type, or null. */
  firstOfType(...types: string[]): SyntaxNode | null {
    return this.children.find((child) => types.includes(child.type)) ?? null;
  }
}

class Source {
  private readonly lineStarts: number[] = [0];

  constructor(readonly text: string) {
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.lineStarts.push(at + 1);
  }

  lineAt(offset: number): number {
    let low = 0;
    let high = this.lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.lineStarts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  }
}

/** Whether there is a grammar for the language (see languageOf). */
export function hasGrammar(language: string): boolean {
  return language in grammarOf;
}

/** The syntax tree of a text, or null when there is no grammar for its language or it is longer than MAX_PARSED_CHARACTERS. */
export async function parseSyntax(language: string, text: string): Promise<SyntaxNode | null> {
  const grammar = grammarOf[language];
  if (!grammar || text.length > MAX_PARSED_CHARACTERS) return null;
  const parser = await parserFor(grammar);
  const tree = parser.parse(text);
  if (!tree) return null;
  const cursor = tree.walk();
  try {
    return copyTree(cursor, new Source(text));
  } finally {
    cursor.delete();
    tree.delete();
  }
}

let initialised: Promise<void> | null = null;
const parsers = new Map<string, Promise<Parser>>();

function parserFor(grammar: string): Promise<Parser> {
  let parser = parsers.get(grammar);
  if (!parser) {
    parser = loadParser(grammar);
    parsers.set(grammar, parser);
  }
  return parser;
}

async function loadParser(grammar: string): Promise<Parser> {
  initialised ??= Parser.init();
  await initialised;
  const packageFolder = dirname(createRequire(import.meta.url).resolve('@vscode/tree-sitter-wasm/package.json'));
  const language = await Language.load(join(packageFolder, 'wasm', `tree-sitter-${grammar}.wasm`));
  return new Parser().setLanguage(language);
}

function copyTree(cursor: TreeCursor, source: Source): SyntaxNode {
  const root = new SyntaxNode(cursor.nodeType, null, cursor.startIndex, cursor.endIndex, source);
  // The node that takes the children at each depth of the cursor; an unnamed node passes them to its parent.
  const parents: SyntaxNode[] = [root];
  let depth = 0;
  let descend = true;
  for (;;) {
    if (descend && depth < MAX_DEPTH && cursor.gotoFirstChild()) {
      depth++;
    } else if (cursor.gotoNextSibling()) {
      descend = true;
    } else if (depth > 0) {
      cursor.gotoParent();
      depth--;
      descend = false;
      continue;
    } else {
      return root;
    }
    const parent = parents[depth - 1] as SyntaxNode;
    if (cursor.nodeIsNamed) {
      const node = new SyntaxNode(cursor.nodeType, cursor.currentFieldName, cursor.startIndex, cursor.endIndex, source);
      parent.children.push(node);
      parents[depth] = node;
    } else {
      parents[depth] = parent;
    }
    descend = true;
  }
}
