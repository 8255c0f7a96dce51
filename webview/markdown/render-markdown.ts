// Markdown of an answer to nodes. An answer is hostile text: HTML in it is text, links keep no address (the extension is asked to
// open them), images are links, and what is left goes through an allow-list.
import DOMPurify from 'dompurify';
import MarkdownIt, { type Token } from 'markdown-it';
import { linkElement } from '../elements.ts';
import { post } from '../extension-link.ts';
import { showControls } from '../visible-controls.ts';
import { word } from '../words.ts';

const parser = new MarkdownIt({ html: false, linkify: true });
// `setup.py` is no web address, though .py is a country.
parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });
// A reference that is defined later would change what was drawn already.
parser.disable('reference');
parser.validateLink = (address) => isWebAddress(address) || !/^[\s\w+.-]*:/.test(address);

const { rules } = parser.renderer;
rules.link_open = (tokens, index) => opening(tokens[index]!.attrGet('href'));
rules.link_close = () => '</a>';
rules.image = (tokens, index) => {
  const token = tokens[index]!;
  const text = token.content || String(token.attrGet('src') ?? '');
  return `${opening(token.attrGet('src'))}${parser.utils.escapeHtml(word('image: {0}', text))}</a>`;
};
rules.fence = (tokens, index) => preformatted(tokens[index]!);
rules.code_block = (tokens, index) => preformatted(tokens[index]!);
rules.table_open = () => '<div class="table" tabindex="0"><table>';
rules.table_close = () => '</table></div>';

const allowed = {
  ALLOWED_TAGS: [
    ...['a', 'blockquote', 'br', 'code', 'div', 'em', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'hr', 'li', 'ol', 'p', 'pre'],
    ...['s', 'strong', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul'],
  ],
  ALLOWED_ATTR: ['class', 'data-address', 'data-language', 'start', 'tabindex'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true as const,
};

export interface Block {
  /** Offset of its first character in the text. */
  start: number;
  /** Where its first line ends, the line break included. */
  firstLineEnd: number;
  tokens: Token[];
}

/** The top-level blocks of a text, in order; a block reaches to the start of the next. */
export function topLevelBlocks(text: string): Block[] {
  const tokens = parser.parse(text, {});
  const lineStarts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lineStarts.push(at + 1);
  const blocks: Block[] = [];
  let depth = 0;
  for (const token of tokens) {
    if (depth === 0) {
      const line = token.map?.[0] ?? 0;
      const start = lineStarts[line] ?? text.length;
      blocks.push({ start, firstLineEnd: lineStarts[line + 1] ?? text.length, tokens: [] });
    }
    blocks.at(-1)!.tokens.push(token);
    depth += token.nesting;
  }
  return blocks;
}

/** Code blocks come as `pre` with their language in `data-language`. */
export function renderBlocks(blocks: readonly Block[]): DocumentFragment {
  const tokens = blocks.flatMap((block) => block.tokens);
  const fragment = DOMPurify.sanitize(parser.renderer.render(tokens, parser.options, {}), allowed);
  for (const link of fragment.querySelectorAll('a')) {
    const address = link.dataset.address ?? '';
    link.replaceWith(isWebAddress(address) ? webLink(link, address) : plain(link));
  }
  showControls(fragment);
  return fragment;
}

/** The language that a fence names, if it looks like a name. */
export function fenceLanguage(info: string): string {
  return /^[\w+#.-]{1,24}(?=$|[\s,{:])/.exec(info.trim())?.[0] ?? '';
}

function webLink(from: HTMLElement, address: string): HTMLElement {
  const link = linkElement('', address, () => post({ type: 'openLink', url: address }));
  link.append(...from.childNodes);
  return link;
}

function plain(from: HTMLElement): DocumentFragment {
  const fragment = document.createDocumentFragment();
  fragment.append(...from.childNodes);
  return fragment;
}

function preformatted(token: Token): string {
  const language = token.type === 'fence' ? fenceLanguage(token.info) : '';
  return `<pre data-language="${parser.utils.escapeHtml(language)}"><code>${parser.utils.escapeHtml(token.content)}</code></pre>\n`;
}

function opening(address: string | number | null): string {
  return `<a data-address="${parser.utils.escapeHtml(String(address ?? ''))}">`;
}

function isWebAddress(address: string): boolean {
  return /^https?:\/\/[^\s]+$/i.test(address);
}
