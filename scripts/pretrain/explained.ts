// Code beside what its author says of it: what explaining and summarising is practised on. The comment itself is not shown.
import type { Document } from '../../native-host/corpus/documents.ts';
import type { Fact } from '../../native-host/corpus/questions/fact.ts';

/** A function, a class, a constant or a file, and a sentence about it. */
export interface Explained {
  package: string;
  path: string;
  /** Empty for a file. */
  name: string;
  /** Without the comment that says it. */
  text: string;
  answer: string;
}

const mostLines = 24;
const longestText = 1400;

/** Of facts of the kinds doc and file-purpose; null where no code is left, or where it says the same. */
export function explainedBy(fact: Fact, document: Document): Omit<Explained, 'package'> | null {
  const isFile = fact.kind === 'file-purpose';
  if (!isFile && fact.kind !== 'doc') return null;
  const below = isFile ? document.text : declarationFrom(document.text.split('\n').slice(fact.line - 1));
  const code = withoutFirstString(isFile ? withoutHeader(below, document.language) : below, document.language);
  const text = start(code);
  if (text.trim().split('\n').length < 2 || text.includes(fact.answer.slice(0, 30))) return null;
  return { path: fact.path, name: isFile ? '' : fact.subject, text, answer: fact.answer };
}

/** Up to the next comment for documentation at the same depth. */
function declarationFrom(lines: readonly string[]): string {
  const indent = /^\s*/.exec(lines[0] ?? '')![0];
  const end = lines.findIndex((line, i) => i > 0 && line.startsWith(`${indent}/**`));
  return lines.slice(0, end < 0 ? undefined : end).join('\n');
}

function withoutHeader(text: string, language: string): string {
  const line = language === 'python' || language === 'shell' ? '#' : '\\/\\/';
  const opening = new RegExp(`^(\\s+|#!.*\\n|${line}.*\\n|\\/\\*[\\s\\S]*?\\*\\/)`);
  let rest = text;
  for (let found = opening.exec(rest); found !== null; found = opening.exec(rest)) rest = rest.slice(found[0].length);
  return rest;
}

/** Python's documentation strings are the first of their block. */
function withoutFirstString(text: string, language: string): string {
  return language === 'python' ? text.replace(/[ \t]*[rRuU]?("""|''')[\s\S]*?\1[ \t]*\n?/, '') : text;
}

/** Whole lines, as many as fit. */
function start(text: string): string {
  const lines: string[] = [];
  let length = 0;
  for (const line of text.split('\n').slice(0, mostLines)) {
    length += line.length + 1;
    if (length > longestText) break;
    lines.push(line);
  }
  return lines.join('\n');
}
