/** Shows how an absorption goes: a bar on a terminal, now and then a line anywhere else. */
import { type Options, SingleBar } from 'cli-progress';
import type { AbsorbReport } from '../study/absorb.ts';
import type { Output } from './context.ts';
import { count, counted, duration, percent } from './number-text.ts';
import { printLines } from './print.ts';

export interface AbsorbProgressView {
  report(report: AbsorbReport): void;
  /** A line that stays. */
  note(line: string): void;
  end(): void;
}

/** Seconds between two lines of the same kind where there is no terminal. */
const secondsBetweenLines = 10;

export function openAbsorbProgress(output: Output, now = () => performance.now() / 1000): AbsorbProgressView {
  return output.isTTY ? new ProgressBar(output) : new ProgressLines(output, now);
}

const phaseNames: Record<AbsorbReport['phase'], string> = {
  scan: 'reading files',
  questions: 'making questions',
  train: 'training',
  measure: 'measuring',
  save: 'saving',
};

/** Everything that a report says beside the share that is done. */
export function progressText(report: AbsorbReport): string {
  const { phase, documents, tokens, epoch, loss, absorbed, tokensPerSecond, secondsLeft, package: turn } = report;
  const texts = [phaseNames[phase]];
  if (turn !== undefined) texts.unshift(`${turn.folder} (${turn.number} of ${turn.of})`);
  if (phase !== 'train') {
    if (documents > 0) texts.push(`${counted(documents, 'document')}, ${counted(tokens, 'token')}`);
    return texts.join('  ');
  }
  if (epoch !== undefined) texts.push(`epoch ${epoch + 1}`);
  if (isKnown(loss)) texts.push(`loss ${loss.toFixed(2)}`);
  if (isKnown(absorbed) && absorbed > 0) texts.push(`absorbed ${percent(absorbed, 0)}`);
  if (isKnown(tokensPerSecond)) texts.push(`${count(tokensPerSecond)} tokens/s`);
  if (isKnown(secondsLeft)) texts.push(`${duration(Math.max(0, secondsLeft))} left`);
  return texts.join('  ');
}

function isKnown(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value);
}

class ProgressBar implements AbsorbProgressView {
  private readonly bar: SingleBar;
  private done = 0;
  private text = '';

  constructor(private readonly output: Output) {
    const options: Options = {
      stream: output,
      // What is too long for the terminal is cut, so that the bar stays on one line.
      format: (_options, { progress }, { text }: { text?: string }) => {
        const filled = Math.round(20 * progress);
        const bar = `[${'='.repeat(filled)}${' '.repeat(20 - filled)}] ${percent(progress, 0).padStart(5)}`;
        return `${bar}  ${text ?? ''}`.slice(0, Math.max(10, (output.columns ?? 80) - 1));
      },
      clearOnComplete: true,
      // The command handles signals itself, and may be killed by one: nothing about the terminal may need to be undone.
      gracefulExit: false,
      linewrap: true,
      hideCursor: null,
    };
    this.bar = new SingleBar(options);
    this.start();
  }

  report(report: AbsorbReport): void {
    // Measuring and saving have no share of their own.
    if (isKnown(report.done)) this.done = Math.min(1, Math.max(0, report.done));
    this.text = progressText(report);
    this.bar.update(this.done, { text: this.text });
  }

  note(line: string): void {
    // The bar remembers the line that it began on, so it has to begin again below the note.
    this.end();
    printLines(this.output, [line]);
    this.start();
  }

  end(): void {
    this.bar.stop();
  }

  private start(): void {
    this.bar.start(1, this.done, { text: this.text });
  }
}

class ProgressLines implements AbsorbProgressView {
  private lastKind = '';
  private lastTime = 0;

  constructor(
    private readonly output: Output,
    private readonly now: () => number,
  ) {}

  report(report: AbsorbReport): void {
    const kind = `${report.package?.folder ?? ''} ${report.phase} ${report.epoch ?? ''}`;
    const time = this.now();
    if (kind === this.lastKind && time - this.lastTime < secondsBetweenLines) return;
    this.lastKind = kind;
    this.lastTime = time;
    const done = report.phase === 'train' && isKnown(report.done) ? `${percent(report.done, 0).padStart(5)}  ` : '';
    this.note(`${done}${progressText(report)}`);
  }

  note(line: string): void {
    printLines(this.output, [line]);
  }

  end(): void {}
}
