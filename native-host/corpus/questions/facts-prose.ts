// Facts about what text says: documentation comments, sections, what a file is for.
import type { Document } from '../documents.ts';
import { type Fact, makeFact } from './fact.ts';
import { sectionsOf } from './markdown.ts';
import { firstSentence } from './prose.ts';
import type { Repository } from './repository.ts';

/** What every repository has and none is asked about. */
const ofEveryRepository = /(^|\/)(code_of_conduct|licen[cs]e|copying|notice|change(s|log)|history|releases?)(\.|$)/i;

export function proseFacts(repository: Repository): Fact[] {
  return [...docFacts(repository), ...purposeFacts(repository), ...sectionFacts(repository.documents)];
}

function docFacts({ definitions }: Repository): Fact[] {
  const facts: Fact[] = [];
  for (const { path, symbol, subject, label, unique } of definitions) {
    const doc = symbol.doc && firstSentence(symbol.doc);
    if (!doc) continue;
    facts.push(proseFact('doc', path, symbol.line, subject, { name: subject }, doc));
    if (unique) facts.push(proseFact('doc-subject', path, symbol.line, doc, { doc }, label));
  }
  return facts;
}

function purposeFacts({ files }: Repository): Fact[] {
  return files.flatMap((file) => {
    const purpose = file.header && firstSentence(file.header);
    if (!purpose) return [];
    return [
      proseFact('file-purpose', file.path, 1, file.path, { path: file.path }, purpose),
      proseFact('purpose-file', file.path, 1, purpose, { purpose }, file.path),
    ];
  });
}

function sectionFacts(documents: readonly Document[]): Fact[] {
  const facts: Fact[] = [];
  const pages = documents.filter(
    ({ path, language }) =>
      (language === 'markdown' || language === 'restructuredtext') && !ofEveryRepository.test(path),
  );
  for (const document of pages) {
    const sections = sectionsOf(document.text);
    const count = new Map<string, number>();
    for (const { heading } of sections) count.set(heading, (count.get(heading) ?? 0) + 1);
    for (const { heading, line, firstSentence: sentence } of sections) {
      if (count.get(heading) !== 1 || !isAskable(heading)) continue;
      const { path } = document;
      // With one page, every answer would be the same.
      if (pages.length > 1) facts.push(proseFact('section', path, line, heading, { heading }, path));
      if (sentence)
        facts.push(proseFact('section-start', path, line, `${heading} in ${path}`, { heading, path }, sentence));
    }
  }
  return facts;
}

// A version number or a date heads an entry of a change log; what is below it is no knowledge of the repository.
function isAskable(heading: string): boolean {
  return (
    heading.length >= 3 &&
    heading.length <= 70 &&
    /\p{L}{2}/u.test(heading) &&
    !/^\[?v?\d+\.\d+|\d{4}-\d{2}-\d{2}/.test(heading)
  );
}

function proseFact(
  kind: string,
  path: string,
  line: number,
  subject: string,
  slots: Record<string, string>,
  answer: string,
): Fact {
  return makeFact({ kind, stratum: 'prose', path, line, subject, slots, answer });
}
