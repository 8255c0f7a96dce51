/** Markup with every text in it escaped: names of files and what a model writes are only ever text. */

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Control characters, and marks that turn the direction of text, become U+FFFD. */
export function escaped(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => escapes[character]!)
    .replace(/[^\P{Cc}\n\t]|[\u202A-\u202E\u2066-\u2069]|\p{Cs}/gu, '\uFFFD');
}

export interface TableColumn {
  title: string;
  isNumber?: boolean;
}

/** A table of texts. */
export function table(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): string {
  const cell = (tag: 'th' | 'td', text: string, { isNumber = false }: TableColumn) =>
    `<${tag}${isNumber ? ' class="number"' : ''}>${escaped(text)}</${tag}>`;
  const head = columns.map((column) => cell('th', column.title, column)).join('');
  const body = rows.map((row) => `<tr>${row.map((text, i) => cell('td', text, columns[i]!)).join('')}</tr>`);
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body.join('\n')}</tbody></table></div>`;
}

/** Nothing where there is no content. */
export function section(title: string, note: string, content: string): string {
  if (content === '') return '';
  return `<section><h2>${escaped(title)}</h2><p class="note">${escaped(note)}</p>${content}</section>`;
}
