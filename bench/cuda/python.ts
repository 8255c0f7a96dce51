/** The other side of the tables: scripts/reference/card.py, run by a Python that has PyTorch. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export class Python {
  constructor(
    private readonly command: string,
    private readonly script: string,
  ) {}

  /** What is there to compare with. */
  async describe(): Promise<string> {
    const code = 'import torch; print(torch.__version__, torch.cuda.is_available())';
    const text = await run(this.command, ['-c', code]).then(
      ({ stdout }) => stdout.trim(),
      () => null,
    );
    if (text === null) return `${this.command} has no PyTorch: nothing is compared with it.`;
    return text.endsWith('True')
      ? `PyTorch ${text.split(' ')[0]}.`
      : 'PyTorch sees no card: nothing is compared with it.';
  }

  /** What a task of the script gives; null where it cannot run, which is said. */
  async ask<Answer>(task: string, problem: unknown): Promise<Answer | null> {
    try {
      const { stdout } = await run(this.command, [this.script, task, JSON.stringify(problem)], { maxBuffer: 2 ** 24 });
      return JSON.parse(stdout.trim().split('\n').at(-1)!);
    } catch (error) {
      const { stderr } = error as { stderr?: string };
      console.log(`PyTorch's ${task} could not be run: ${(stderr ?? String(error)).trim().split('\n').at(-1)}`);
      return null;
    }
  }
}
