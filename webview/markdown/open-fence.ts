// A fence that is being written: its lines go to the code block as they come, however many, without being parsed again.
import { CodeBlock } from './code-block.ts';

export class OpenFence {
  readonly block: CodeBlock;
  private readonly closing: RegExp;
  private readonly maybeClosing: RegExp;
  private readonly indentation: RegExp;
  private insideLine = false;

  /** `markup` is the run of ` or ~ that opened it, `indent` the spaces before that. */
  constructor(language: string, markup: string, indent: number) {
    this.block = new CodeBlock(language);
    const mark = markup[0]!;
    this.closing = new RegExp(`^ {0,3}${mark}{${markup.length},}[ \\t]*$`);
    this.maybeClosing = new RegExp(`^ {0,3}${mark}*[ \\t]*$`);
    this.indentation = new RegExp(`^ {0,${indent}}`);
  }

  /**
   * Takes from a text that begins where the last call ended. `whole` says that the text ends there for now, `finished` that it
   * ends there for good. Returns how many characters are used up and whether the fence is closed.
   */
  take(text: string, whole: boolean, finished: boolean): { used: number; closed: boolean } {
    const taken: string[] = [];
    let used = 0;
    for (let end = text.indexOf('\n', used); end >= 0; end = text.indexOf('\n', used)) {
      const line = text.slice(used, end);
      used = end + 1;
      if (!this.insideLine && this.closing.test(line)) return this.end(taken, used);
      taken.push(this.stripped(line), '\n');
      this.insideLine = false;
    }
    const rest = text.slice(used);
    if (finished) {
      if (this.insideLine || !this.closing.test(rest)) taken.push(this.stripped(rest));
      return this.end(taken, text.length);
    }
    if (!whole && used === 0) {
      taken.push(this.stripped(rest));
      this.insideLine = true;
      used = text.length;
    }
    if (taken.length > 0) this.block.append(taken.join(''));
    const shown = whole && (this.insideLine || !this.maybeClosing.test(rest));
    this.block.showLastLine(shown ? this.stripped(rest) : '');
    return { used, closed: false };
  }

  private end(taken: string[], used: number): { used: number; closed: boolean } {
    if (taken.length > 0) this.block.append(taken.join(''));
    this.block.finish();
    return { used, closed: true };
  }

  private stripped(line: string): string {
    return this.insideLine ? line : line.replace(this.indentation, '');
  }
}
