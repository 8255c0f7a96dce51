// Sections of Markdown and reStructuredText documents.
import { firstSentence, plainText } from './prose.ts';

export interface Section {
  /** The heading's text, marks removed. */
  heading: string;
  level: number;
  /** Line of the heading, from 1. */
  line: number;
  /** The first sentence below the heading when it starts with prose, or null. */
  firstSentence: string | null;
}

/** The sections of a document in order. Headings in fenced code are none. */
export function sectionsOf(text: string): Section[] {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  const headings: { heading: string; level: number; line: number; bodyStart: number }[] = [];
  let fence: string | null = null;
  let at = 0;
  if (lines[0] === '---') {
    // The settings at the head of a page.
    const end = lines.indexOf('---', 1);
    if (end > 0) at = end + 1;
  }
  for (; at < lines.length; at++) {
    const line = lines[at] as string;
    const fenceMark = /^\s{0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence !== null) {
      if (fenceMark && fenceMark[0] === fence[0] && fenceMark.length >= fence.length) fence = null;
      continue;
    }
    if (fenceMark) {
      fence = fenceMark;
      continue;
    }
    const marked = /^\s{0,3}(#{1,6})\s+(.+?)\s*#*\s*$/.exec(line);
    const under = lines[at + 1] ?? '';
    const underlined =
      /^(={3,}|-{3,}|~{3,}|\^{3,})\s*$/.test(under) &&
      /^\S/.test(line) &&
      !/^[-=~*+>|#]/.test(line) &&
      (lines[at - 1] ?? '').trim() === '';
    if (marked)
      headings.push({
        heading: headingText(marked[2] as string),
        level: (marked[1] as string).length,
        line: at + 1,
        bodyStart: at + 1,
      });
    else if (underlined)
      headings.push({
        heading: headingText(line),
        level: under.startsWith('=') ? 1 : 2,
        line: at + 1,
        bodyStart: at + 2,
      });
  }
  return headings.map(({ heading, level, line, bodyStart }, index) => {
    const end = (headings[index + 1]?.line ?? lines.length + 1) - 1;
    return { heading, level, line, firstSentence: firstProse(lines.slice(bodyStart, end)) };
  });
}

function headingText(text: string): string {
  return plainText(text.replace(/\{#[^}]*\}\s*$/, ''));
}

// The first paragraph, unless the section starts with code, a table, a list or a picture.
function firstProse(lines: readonly string[]): string | null {
  const isMark = (line: string) => /^\s*(\[?!\[|<|\[[^\]]+\]:|\.\.\s)/.test(line) || line.trim() === '';
  let start = 0;
  while (start < lines.length && isMark(lines[start] as string)) start++;
  const first = lines[start];
  if (first === undefined || /^(\s{4,}|\t|\s*([-*+>|]|\d+[.)]\s|`{3}|~{3}))/.test(first)) return null;
  let end = start;
  while (
    end < lines.length &&
    (lines[end] as string).trim() !== '' &&
    !/^\s*([-*+]\s|\d+[.)]\s|`{3}|~{3}|\|)/.test(lines[end] as string)
  )
    end++;
  const paragraph = lines.slice(start, end).join('\n');
  // A paragraph that leads to a list or an example says nothing without it.
  return /:\s*$/.test(paragraph) ? null : firstSentence(paragraph);
}
