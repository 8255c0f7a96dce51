/** What gpu:check prints and keeps for bench/RESULTS.md: sentences, tables, and what is not as it should be. */
export class Report {
  readonly lines: string[] = [];
  failures = 0;

  say(line: string): void {
    console.log(line);
    this.lines.push(line, '');
  }

  table(title: string, header: readonly string[], rows: readonly (readonly string[])[]): void {
    const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
    const lines = [line(header), line(header.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)];
    console.log(`\n${title}\n${lines.join('\n')}\n`);
    this.lines.push(`### ${title}`, '', ...lines, '');
  }

  /** Says whether what is wanted was reached; a wish is not a failure, a wrong result is. */
  wish(text: string, isReached: boolean): void {
    this.say(`${isReached ? 'reached' : 'NOT REACHED'}: ${text}`);
  }

  check(text: string, isRight: boolean): void {
    if (isRight) this.say(`right: ${text}`);
    else this.fail(text);
  }

  fail(text: string): void {
    this.failures += 1;
    console.log(`WRONG: ${text}`);
    this.lines.push(`WRONG: ${text}`, '');
  }

  conclude(): void {
    console.log(this.failures === 0 ? 'All is right.' : `${this.failures} checks are wrong.`);
  }
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
export const milliseconds = (seconds: number): string => `${(1000 * seconds).toFixed(2)} ms`;
export const teraflops = (rate: number): string => `${(rate / 1e12).toFixed(1)}`;
export const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
export const times = (ratio: number): string => `${ratio.toFixed(2)} ×`;
