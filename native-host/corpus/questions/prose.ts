// Prose in comments and documents, reduced to one short sentence that can be an answer.

/** An answer is at most this many words. */
export const MAX_ANSWER_WORDS = 24;
const MAX_SENTENCE_WORDS = 20;
const MIN_SENTENCE_WORDS = 3;
const MIN_CLAUSE_WORDS = 5;

const notProse =
  /copyright|licen[sc]ed?\b|SPDX|all rights reserved|eslint|prettier-|biome-|@ts-|tslint|istanbul|c8 ignore|noqa|type: ignore|pylint|coding[:=]|sourceMappingURL|^\s*(todo|fixme|xxx|hack)\b|auto-?generated|do not edit|^#!|vim:|use strict|^\s*(@|<\/?\w|#(region|endregion))/i;

/**
 * The first sentence of a text, at most 20 words; a longer one is cut at the last clause end that fits. Null when there is none that reads
 * as prose: too short, a licence, an instruction to a tool, commented-out code.
 */
export function firstSentence(text: string): string | null {
  const paragraph = text.trim().split(/\n\s*\n/, 1)[0] ?? '';
  const plain = plainText(paragraph);
  if (!plain || notProse.test(plain)) return null;
  const sentence = shortened(endAtSentence(plain));
  if (!sentence || !readsAsProse(sentence)) return null;
  return sentence;
}

/** Markdown and JSDoc marks removed, white space joined. */
export function plainText(text: string): string {
  return text
    .replace(/!\[[^\]]*\](\([^)]*\)|\[[^\]]*\])/g, '')
    .replace(/\[([^\]]+)\](\([^)]*\)|\[[^\]]*\])/g, '$1')
    .replace(/\{@(?:link|linkcode|code|linkplain)\s+([^}]+)\}/g, '$1')
    .replace(/<\/?[a-z][^>]*>/gi, '')
    .replace(/`+([^`]*)`+/g, '$1')
    .replace(/(\*\*|__)(\S(?:.*?\S)?)\1/g, '$2')
    .replace(/(^|\W)[*_](\S(?:[^*_]*\S)?)[*_](?=\W|$)/g, '$1$2')
    .replace(/\s+/g, ' ')
    .trim();
}

function endAtSentence(text: string): string {
  const abbreviations = /(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|resp|incl|no|fig|dr|mr|st)|\b[A-Z])$/i;
  const end = /[.!?](?=\s+["'(\u201c]?[A-Z0-9`]|\s*$)/g;
  for (let match = end.exec(text); match; match = end.exec(text)) {
    const sentence = text.slice(0, match.index);
    if (match[0] === '.' && abbreviations.test(sentence)) continue;
    return match[0] === '.' ? sentence : sentence + match[0];
  }
  return text.replace(/[:;,.]+$/, '');
}

function shortened(sentence: string): string | null {
  const words = sentence.split(' ');
  if (words.length <= MAX_SENTENCE_WORDS) return sentence;
  const head = words.slice(0, MAX_SENTENCE_WORDS).join(' ');
  const cut = Math.max(
    head.lastIndexOf(', '),
    head.lastIndexOf('; '),
    head.lastIndexOf(' ('),
    head.lastIndexOf(' - '),
    head.lastIndexOf(': '),
  );
  if (cut < 0) return null;
  const clause = head.slice(0, cut).trim();
  return clause.split(' ').length >= MIN_CLAUSE_WORDS && balanced(clause) ? clause : null;
}

function readsAsProse(sentence: string): boolean {
  const words = sentence.split(' ');
  if (words.length < MIN_SENTENCE_WORDS || !balanced(sentence)) return false;
  if (
    /[;{}]\s*$|=>|===?|\s=\s|&&|\|\||:=|::|\bfunction\s*\(|^\W*(const|let|var|return|import|if|for|#include)\b.*[=({;]/.test(
      sentence,
    )
  )
    return false;
  if (/https?:\/\/\S+/.test(sentence) && words.length < 6) return false;
  if (/(.)\1{4}/.test(sentence) || /^[|+>-]/.test(sentence)) return false;
  const letters = sentence.replace(/[^\p{L}]/gu, '').length;
  return letters >= 0.65 * sentence.replace(/\s/g, '').length;
}

function balanced(text: string): boolean {
  return (
    count(text, /\(/g) === count(text, /\)/g) &&
    count(text, /"/g) % 2 === 0 &&
    count(text, /\[/g) === count(text, /\]/g)
  );
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}
