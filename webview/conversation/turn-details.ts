// What stands below an answer: where it comes from, what it got wrong, what the model was shown, and who answered how fast.
import type { CitationLink, ShownText, Turn } from '../../protocol/view.ts';
import { element, linkElement } from '../elements.ts';
import { keep, keptState } from '../extension-link.ts';
import { unknownName } from '../markdown/answer-marks.ts';
import { count, lines } from '../quantities.ts';
import { word } from '../words.ts';

export function sources(turn: Turn, open: (citation: CitationLink) => void): HTMLElement | null {
  if (turn.citations.length === 0) return null;
  const links = turn.citations.map((citation) => {
    const name = `${citation.path}${lines(citation.startLine, citation.endLine)}`;
    return element(
      'li',
      {},
      linkElement(name, word('Open {0}', name), () => open(citation)),
    );
  });
  return element(
    'section',
    { class: 'sources', 'aria-label': word('Sources') },
    element('h3', {}, word('Sources')),
    element('ul', {}, ...links),
  );
}

export function unknownNames(turn: Turn): HTMLElement | null {
  const names = [...turn.unknownPaths, ...turn.unknownSymbols];
  if (names.length === 0) return null;
  return element(
    'p',
    { class: 'unknown-names' },
    `${word('Not in this workspace:')} `,
    ...names.flatMap((name, index) => [index > 0 ? ', ' : null, element('code', {}, unknownName(name))]),
  );
}

export function shownTexts(turn: Turn, open: (citation: CitationLink) => void): HTMLElement | null {
  if (turn.shown.length === 0) return null;
  const key = `shown ${turn.id}`;
  const details = element(
    'details',
    { class: 'shown' },
    element('summary', {}, word('What the model was shown ({0})', count(turn.shown.length))),
    element('ul', {}, ...turn.shown.map((text) => shownText(text, open))),
  );
  details.open = keptState().open[key] === true;
  details.addEventListener('toggle', () => {
    const { [key]: _, ...others } = keptState().open;
    keep({ open: details.open ? { ...others, [key]: true } : others });
  });
  return details;
}

function shownText(text: ShownText, open: (citation: CitationLink) => void): HTMLElement {
  const { path, startLine, endLine } = text;
  const place = path === null ? '' : `${path}${lines(startLine, endLine)}`;
  const states = { whole: word('whole'), cut: word('cut'), 'left out': word('left out') };
  return element(
    'li',
    { class: `shown-${text.state.replace(' ', '-')}` },
    element('span', { class: 'shown-kind' }, kindName(text.kind)),
    path === null
      ? null
      : linkElement(place, word('Open {0}', place), () =>
          open({ path, startLine: startLine ?? 1, endLine: endLine ?? startLine ?? 1 }),
        ),
    element('span', { class: 'shown-state' }, states[text.state]),
  );
}

function kindName(kind: string): string {
  const names: Record<string, string> = {
    conversation: word('Earlier turns'),
    outline: word('Outline'),
    dirty: word('Changed file'),
    open: word('Open file'),
    evidence: word('Evidence'),
  };
  return names[kind] ?? kind;
}

export function answeredBy(turn: Turn): string {
  const { version, package: named } = turn;
  const parts = [version === null ? word('Base model') : word('Adapter version {0}', version)];
  if (version !== null && named !== undefined) {
    parts[0] =
      named === '.'
        ? word('Adapter of no package, version {0}', version)
        : word('Adapter of {0}, version {1}', named, version);
  }
  if (turn.fromMemory) parts.push(word('from memory'));
  if (turn.firstTokenMs !== null)
    parts.push(word('first token after {0} s', (turn.firstTokenMs / 1000).toFixed(turn.firstTokenMs < 95 ? 2 : 1)));
  if (turn.tokensPerSecond !== null) parts.push(word('{0} tokens/s', count(Math.round(turn.tokensPerSecond))));
  return parts.join(' · ');
}
