/** A table in plain text. */

/** Columns are aligned, two spaces apart: to the left, or to the right where `rightAligned` names the column. */
export function textTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  rightAligned: readonly string[] = [],
): string[] {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => widthOf(row[column] ?? ''))));
  const line = (row: readonly string[]) =>
    header
      .map((name, column) => {
        const text = row[column] ?? '';
        const space = ' '.repeat(widths[column]! - widthOf(text));
        return rightAligned.includes(name) ? space + text : text + space;
      })
      .join('  ')
      .trimEnd();
  return all.map(line);
}

function widthOf(text: string): number {
  return [...text].length;
}
