/** scripts/reference/peft_adapter.py, run by a Python that has PyTorch, transformers and PEFT. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

export class Peft {
  constructor(
    private readonly python: string,
    private readonly script: string,
  ) {}

  /** The packages' versions; null with the last line of the reason where they are not there. */
  async versions(): Promise<{ versions: string | null; reason: string }> {
    try {
      return { versions: ((await this.ask('versions', {})) as { versions: string }).versions, reason: '' };
    } catch (error) {
      return { versions: null, reason: (error as Error).message };
    }
  }

  /** Writes a random model of a config in transformers' words. */
  async makeModel(config: Record<string, unknown>, folder: string): Promise<void> {
    await this.ask('model', { config, folder });
  }

  /** Makes a random adapter of `options` (LoraConfig) in `folder`. Returns the logits with it. */
  async makeAdapter(
    model: string,
    options: Record<string, unknown>,
    ids: readonly number[],
    folder: string,
  ): Promise<Float32Array> {
    const output = `${folder}.logits`;
    await this.ask('make', { model, options, ids, folder, output });
    return floatsIn(output);
  }

  /** Logits [T·V] with the adapter in a folder. */
  async logits(model: string, adapter: string, ids: readonly number[]): Promise<Float32Array> {
    const output = `${adapter}.logits`;
    await this.ask('logits', { model, adapter, ids, output });
    return floatsIn(output);
  }

  /** Errors: Error with what Python said last. */
  private async ask(task: string, problem: unknown): Promise<unknown> {
    try {
      const { stdout } = await run(this.python, [this.script, task, JSON.stringify(problem)], { maxBuffer: 2 ** 24 });
      return JSON.parse(stdout.trim().split('\n').at(-1)!);
    } catch (error) {
      const said = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1);
      throw new Error(said || (error as Error).message.split('\n')[0]);
    }
  }
}

async function floatsIn(file: string): Promise<Float32Array> {
  const bytes = await readFile(file);
  return new Float32Array(new Uint8Array(bytes).buffer);
}
