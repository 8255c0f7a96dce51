// Marks in an answer what the host found in it: paths that exist become links, paths and names that exist nowhere are struck.
// Code blocks are proposals and stay as they are.
import type { CitationLink } from '../../protocol/view.ts';
import { element, linkElement } from '../elements.ts';
import { fileName, lines } from '../quantities.ts';
import { word } from '../words.ts';

export interface Found {
  citations: CitationLink[];
  unknownPaths: string[];
  unknownSymbols: string[];
}

export class AnswerMarks {
  private readonly written: RegExp | null;
  private readonly cited: Map<string, CitationLink[]>;
  private readonly unknown: Set<string>;

  constructor(
    found: Found,
    private readonly open: (citation: CitationLink) => void,
  ) {
    this.cited = citationsByForm(found.citations);
    this.unknown = new Set([...found.unknownPaths, ...found.unknownSymbols]);
    const forms = [...this.cited.keys(), ...this.unknown].filter((form) => form !== '');
    forms.sort((a, b) => b.length - a.length);
    this.written =
      forms.length === 0
        ? null
        : new RegExp(
            String.raw`(?<![\w$./\\-])(?:\./)?(${forms.map(escaped).join('|')})(?:(?::|#L)(\d+)(?:-L?\d+)?)?(?![\w$/\\-]|\.\w)`,
            'g',
          );
  }

  mark(nodes: readonly Node[]): void {
    if (!this.written) return;
    for (const text of nodes.flatMap(textNodes)) this.markText(text, this.written);
  }

  private markText(text: Text, written: RegExp): void {
    const parts: (Node | string)[] = [];
    let from = 0;
    for (const match of text.data.matchAll(written)) {
      const mark = this.markFor(match[0], match[1]!, match[2]);
      if (!mark) continue;
      parts.push(text.data.slice(from, match.index), mark);
      from = match.index + match[0].length;
    }
    if (parts.length > 0) text.replaceWith(...parts, text.data.slice(from));
  }

  private markFor(shown: string, form: string, line: string | undefined): HTMLElement | null {
    if (this.unknown.has(form)) return unknownName(shown);
    const citations = this.cited.get(form);
    if (!citations) return null;
    const citation = citations.find(({ startLine }) => startLine === Number(line)) ?? citations[0]!;
    const mark = linkElement(shown, `${citation.path}${lines(citation.startLine, citation.endLine)}`, () =>
      this.open(citation),
    );
    mark.classList.add('mark');
    return mark;
  }
}

/** Puts the plain text back. */
export function unmark(root: HTMLElement): void {
  for (const mark of root.querySelectorAll('.mark')) {
    const parent = mark.parentElement;
    mark.querySelector('.visually-hidden')?.remove();
    mark.replaceWith(mark.textContent);
    parent?.normalize();
  }
}

export function unknownName(name: string): HTMLElement {
  const reason = word('not in this workspace');
  return element(
    'span',
    { class: 'mark unknown', title: reason },
    name,
    element('span', { class: 'visually-hidden' }, ` (${reason})`),
  );
}

/** Whole paths, and the ends of paths that only one of them has, as the text may write either. */
function citationsByForm(citations: CitationLink[]): Map<string, CitationLink[]> {
  const forms = new Map<string, CitationLink[]>();
  const paths = new Set(citations.map(({ path }) => path));
  for (const citation of citations) {
    const parts = citation.path.split('/');
    for (let from = 0; from < parts.length; from++) {
      const form = parts.slice(from).join('/');
      const shared = [...paths].some((path) => path !== citation.path && (path === form || path.endsWith(`/${form}`)));
      if (from > 0 && (shared || !fileName(form).includes('.'))) continue;
      forms.set(form, [...(forms.get(form) ?? []), citation]);
    }
  }
  return forms;
}

function textNodes(root: Node): Text[] {
  if (root.nodeType === Node.TEXT_NODE) return [root as Text];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT, (node) =>
    node instanceof HTMLElement && node.matches('.code-block, a, .mark')
      ? NodeFilter.FILTER_REJECT
      : NodeFilter.FILTER_ACCEPT,
  );
  const found: Text[] = [];
  if (root instanceof HTMLElement && root.matches('.code-block, a, .mark')) return found;
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    if (node.nodeType === Node.TEXT_NODE) found.push(node as Text);
  }
  return found;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`);
}
