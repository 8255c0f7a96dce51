/** How a command's result reaches the user or a script. */
import type { CliContext, Output } from './context.ts';

/**
 * A result: with `json` one line that holds the object, which is then the last one of the output; otherwise the lines
 * for people.
 */
export function printResult(
  { stdout }: Pick<CliContext, 'stdout'>,
  json: boolean | undefined,
  result: object,
  lines: () => readonly string[],
): void {
  if (json) stdout.write(`${JSON.stringify(result)}\n`);
  else printLines(stdout, lines());
}

export function printLines(output: Output, lines: readonly string[]): void {
  for (const line of lines) output.write(`${harmless(line)}\n`);
}

/**
 * Text without control characters other than line ends and tabs: names of files and what a model writes must not steer
 * the terminal.
 */
export function harmless(text: string): string {
  return text.replace(/\r\n/g, '\n').replace(/[^\P{Cc}\n\t]/gu, '\uFFFD');
}
