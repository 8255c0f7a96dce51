// Comments: which belongs to a declaration, and what they say once their marks are gone.
import type { SyntaxNode } from './parse.ts';

const commentTypes = new Set(['comment', 'line_comment', 'block_comment']);
/** Nodes that may stand between a comment and the declaration that it describes. */
const passedOver = new Set(['attribute_item', 'decorator', 'marker_annotation', 'annotation']);

export function isComment(node: SyntaxNode): boolean {
  return commentTypes.has(node.type);
}

/** The words of the comment that ends on the line before siblings[index], or null. A comment separated by an empty line belongs to nothing. */
export function commentBefore(siblings: readonly SyntaxNode[], index: number): string | null {
  let first = index - 1;
  while (first >= 0 && passedOver.has((siblings[first] as SyntaxNode).type)) first--;
  const last = first;
  if (last < 0) return null;
  let below = (siblings[last + 1] as SyntaxNode).line;
  while (first >= 0) {
    const node = siblings[first] as SyntaxNode;
    if (!isComment(node) || lastLine(node) < below - 1 || trailsCode(siblings, first)) break;
    below = node.line;
    first--;
    if (node.text.startsWith('/*')) break;
  }
  return first === last ? null : commentText(siblings.slice(first + 1, last + 1));
}

/** The comment that opens a file and describes the file, not the declaration below it; null when there is none. */
export function headerComment(root: SyntaxNode): string | null {
  const siblings = root.children;
  const index = siblings.findIndex((node) => node.type !== 'hash_bang_line');
  const first = siblings[index];
  if (!first || !isComment(first)) return null;
  let end = index + 1;
  for (; !first.text.startsWith('/*'); end++) {
    const [above, below] = [siblings[end - 1], siblings[end]];
    if (!above || !below || !isComment(below) || below.line > lastLine(above) + 1 || below.text.startsWith('/*')) break;
  }
  const last = siblings[end - 1] ?? first;
  const next = siblings[end];
  const says = /@(file|fileoverview|module|packageDocumentation|brief)\b/.test(first.text);
  const stands = !next || next.line > lastLine(last) + 1 || /^(import|use_|preproc_|package)/.test(next.type);
  return says || stands ? commentText(siblings.slice(index, end)) : null;
}

/** What comments say: marks, stars and the tags of JSDoc removed. */
export function commentText(comments: readonly SyntaxNode[]): string {
  const lines = comments
    .flatMap((comment) => comment.text.split('\n'))
    .map((line) =>
      line
        .replace(/^\s*(\/\*[*!]*<?|\/\/[/!]*<?|\*\/|\*(?!\*)|#+!?)/, '')
        .replace(/\s*\*+\/\s*$/, '')
        .trimEnd(),
    );
  return withoutTags(lines.join('\n')).trim();
}

/** The text of a documentation string in Python. */
export function docString(literal: string): string {
  return literal
    .replace(/^[rRuUbB]*("""|'''|"|')/, '')
    .replace(/("""|'''|"|')$/, '')
    .split('\n')
    .map((line) => line.trim())
    .join('\n')
    .trim();
}

function withoutTags(text: string): string {
  const described = text.replace(
    /^\s*@(file|fileoverview|overview|description|desc|summary|brief|packageDocumentation)\b[ \t]*/gm,
    '',
  );
  const withoutModule = described.replace(/^\s*@module\b.*$/gm, '');
  const tag = withoutModule.search(/^\s*[@\\](?!link)[a-zA-Z]+/m);
  return tag < 0 ? withoutModule : withoutModule.slice(0, tag);
}

// Rust's line comments hold their own line break, so that their end is on the next line.
function lastLine(node: SyntaxNode): number {
  return node.text.endsWith('\n') ? node.endLine - 1 : node.endLine;
}

function trailsCode(siblings: readonly SyntaxNode[], index: number): boolean {
  const before = siblings[index - 1];
  return before !== undefined && !isComment(before) && before.endLine === (siblings[index] as SyntaxNode).line;
}
